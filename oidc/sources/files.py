"""Public keys in files, for an issuer that is named beside them.

A directory stands for all files in it, which is how a Secret of public keys is given: mounted, so that no right on
Secrets is needed. Files are read at every look, so replacing them is a rotation.
"""

import asyncio
from pathlib import Path

from oidc import spki
from oidc.errors import DocumentError, SourceError
from oidc.jwks import BODY_LIMIT, union
from oidc.sources import Observation


class KeyFiles:
    """A `Source`."""

    def __init__(self, paths: tuple[Path, ...], issuer: str) -> None:
        self.place = ", ".join(str(path) for path in paths)
        self._paths, self._issuer = paths, issuer

    async def observe(self) -> Observation:
        """Read them all, in a thread: they may lie on a network."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> Observation:
        keys, left = [], []
        for path in _files(self._paths):
            try:
                with path.open("rb") as stream:
                    content = stream.read(BODY_LIMIT + 1)
            except OSError as problem:
                raise SourceError(f"{path}: {problem.strerror}") from None
            if len(content) > BODY_LIMIT:
                raise DocumentError(f"{path}: more than {BODY_LIMIT} bytes")
            found, unsuitable = spki.parse(content, str(path))
            keys += found
            left += unsuitable
        return Observation(self._issuer, union(keys), tuple(left))


def _files(paths: tuple[Path, ...]) -> list[Path]:
    files = []
    for path in paths:
        if path.is_dir():  # a mounted Secret keeps its data behind names that begin with two dots
            files += sorted(each for each in path.iterdir() if not each.name.startswith(".") and each.is_file())
        else:
            files.append(path)
    return files
