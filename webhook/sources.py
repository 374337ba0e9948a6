"""What beside annotations gives identities, kept as new as it is: a ConfigMap by watch, a file by looking at it.

The file is read every two seconds, since a mounted ConfigMap or Secret changes by a symlink swap that notifications
miss. What cannot be used is logged, and what was there before stays.
"""

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from irsa.runtime.health import Readiness
from irsa.runtime.logs import Log
from webhook import identities, mapping
from webhook.annotations import Defaults
from webhook.grants import Sources
from webhook.identities import NOBODY
from webhook.kube import Api, ConfigError
from webhook.reflector import Item, reflect

log: Final = Log("webhook.sources")

POLL_SECONDS: Final = 2.0
FILE_LIMIT: Final = 8 * 1024 * 1024  # bytes


class CurrentSources:
    """Holds what is valid now."""

    def __init__(self, defaults: Defaults, readiness: Readiness) -> None:
        self.now = Sources()
        self._defaults = defaults
        self._readiness = readiness
        self._text: bytes | None = None

    async def follow_config_map(self, api: Api, namespace: str) -> None:
        """Keep the mapping equal to the ConfigMap, for ever."""
        self._readiness.expect("configmap", f"ConfigMap {namespace}/{mapping.CONFIG_MAP} not read yet")
        only = {"fieldSelector": f"metadata.name={mapping.CONFIG_MAP}"}
        await reflect(api, f"/api/v1/namespaces/{namespace}/configmaps", _ConfigMap(self), params=only)

    async def follow_file(self, path: Path) -> None:
        """Keep the identities equal to the file, for ever."""
        while True:
            self.read_file(path)
            await asyncio.sleep(POLL_SECONDS)

    def read_file(self, path: Path) -> None:
        """Take the identities from the file; none where it is missing.

        Raises:
            ConfigError: there is not even a folder for it.
        """
        try:
            with path.open("rb") as stream:
                text = stream.read(FILE_LIMIT + 1)
        except FileNotFoundError:
            text = b""
        except OSError as problem:
            log.error("identities not read; the old ones stay", file=str(path), reason=str(problem))
            return
        if text == self._text:
            return
        self._text = text
        try:
            found = identities.read(text) if len(text) <= FILE_LIMIT else NOBODY
        except identities.IdentitiesError as problem:
            log.error("identities not read; the old ones stay", file=str(path), reason=str(problem))
            return
        self.now = msgspec.structs.replace(self.now, identities=found)
        log.info("identities read", file=str(path), count=len(found))

    def take_mapping(self, data: dict[str, str] | None) -> None:
        """The ConfigMap holds `data`; None: it is gone, and so is what it gave."""
        self._readiness.met("configmap")
        if data is None:
            self.now = msgspec.structs.replace(self.now, mapping=mapping.Mapping())
            return
        try:
            found = mapping.read(data[mapping.KEY], self._defaults)
        except KeyError:
            log.error("ConfigMap not used; what it gave before stays", reason=f"it has no key {mapping.KEY!r}")
            return
        except mapping.MappingError as problem:
            log.error("ConfigMap not used; what it gave before stays", reason=str(problem))
            return
        for warning in found.warnings:
            log.warning(warning)
        self.now = msgspec.structs.replace(self.now, mapping=found)
        log.info("ConfigMap read", entries=len(found.entries))


def require_folder(path: Path) -> Path:
    """The path, absolute and in a folder that is there.

    Raises:
        ConfigError: it is not.
    """
    if not path.is_absolute() or not path.parent.is_dir():
        raise ConfigError(f"--watch-container-credentials-config {path}: must be absolute, in a folder that exists")
    return path


class _ConfigMap:
    # The list of one, as a mirror.
    def __init__(self, sources: CurrentSources) -> None:
        self._sources = sources
        self._listed: dict[str, str] | None = None

    def begin(self) -> None:
        self._listed = None

    def listed(self, item: Item) -> None:
        self._listed = item.data or {}

    def finish(self) -> None:
        self._sources.take_mapping(self._listed)

    def changed(self, item: Item) -> None:
        self._sources.take_mapping(item.data or {})

    def deleted(self, _: Item) -> None:
        self._sources.take_mapping(None)
