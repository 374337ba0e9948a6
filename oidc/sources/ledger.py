"""The key ledger as a file: ConfigMap `irsa-keys`, mounted where it exists."""

import asyncio
from pathlib import Path

from oidc import record
from oidc.errors import SourceError
from oidc.record import Record


class LedgerFile:
    """The ledgers that `irsa keys run` writes; without a file there are none."""

    def __init__(self, path: Path) -> None:
        self.path = path / record.FILE if path.is_dir() or not path.suffix else path

    async def read(self) -> Record:
        """What the file holds now.

        Raises:
            OIDCError: it cannot be read, or is no ledger.
        """
        return await asyncio.to_thread(self._read)

    def _read(self) -> Record:
        try:
            with self.path.open("rb") as stream:
                return record.decode(stream.read(record.SIZE_LIMIT + 1), str(self.path))
        except FileNotFoundError:
            return Record()
        except OSError as problem:
            raise SourceError(f"{self.path}: {problem.strerror}") from None
