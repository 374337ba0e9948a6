"""A folder that some web server serves; each file is replaced at once, never half written."""

import os
import tempfile
from pathlib import Path

from oidc.errors import SourceError
from oidc.export import Artifact


class Directory:
    """A `Destination`. Content types and cache headers are the web server's to set."""

    def __init__(self, folder: Path) -> None:
        self.place = str(folder)
        self._folder = folder

    def read(self, path: str) -> bytes | None:
        """The file's content."""
        try:
            return (self._folder / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise SourceError(f"{self._folder / path}: {problem.strerror}") from None

    def write(self, artifact: Artifact) -> bool:
        """Write beside it, then rename."""
        if self.read(artifact.path) == artifact.body:
            return False
        place = self._folder / artifact.path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=place.parent)
            try:
                _fill(descriptor, artifact.body)
                Path(temporary).rename(place)
            except OSError:
                Path(temporary).unlink()  # the folder is served, and half a file is nothing to serve
                raise
        except OSError as problem:
            raise SourceError(f"{place}: {problem.strerror}") from None
        return True


def _fill(descriptor: int, body: bytes) -> None:
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(body)
        stream.flush()
        os.fchmod(descriptor, 0o644)  # what is published may be read by any web server
        os.fsync(descriptor)
