"""What the harness says when it cannot go on: one exception, with the cure in its message."""


class ClusterError(Exception):
    """A tool, a right or a resource is missing, or a step failed; the message names it and what to do about it."""


class UnavailableError(ClusterError):
    """This machine cannot do it (no container runtime, no rights), which is no fault of the code under test."""
