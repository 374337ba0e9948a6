"""Where an export goes: one small protocol, one adapter a module."""

from typing import Protocol

from oidc.export import Artifact


class Destination(Protocol):
    """A place that serves files as they are."""

    place: str
    """In words for a log line."""

    def read(self, path: str) -> bytes | None:
        """What is there now; None where nothing is.

        Raises:
            SourceError: it cannot be read.
        """

    def write(self, artifact: Artifact) -> bool:
        """Put it there, if nobody else has written since `read`; whether that changed anything.

        Raises:
            SourceError: it cannot be written, or somebody else has.
        """
