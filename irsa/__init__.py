"""IAM roles for service accounts on any Kubernetes cluster: the `irsa` command, and what its servers share."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("irsa")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
