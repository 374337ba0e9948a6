"""`irsa oidc export`: ask the source, compare with what is there, write or tell."""

import ssl
from pathlib import Path
from typing import Final

from irsa.runtime.logs import Log
from oidc import export, jwks
from oidc.destinations import Destination
from oidc.discovery import DISCOVERY_PATH, JWKS_PATH
from oidc.documents import Publication
from oidc.errors import DocumentError, OIDCError, SourceError
from oidc.jwks import KeySet
from oidc.publisher import Publisher
from oidc.sources.http import fetch, session
from oidc.sources.ledger import LedgerFile

log: Final = Log("oidc.export")


async def current(publisher: Publisher, ledger: Path | None) -> Publication:
    """What is to be published now, by the source and by the ledger.

    Raises:
        OIDCError: the source did not answer, or a gate held it back; nothing is exported then.
    """
    if ledger is not None:
        publisher.read(await LedgerFile(ledger).read())
    await publisher.look()
    if publisher.published is None:
        raise SourceError("there is nothing to publish")
    return publisher.published


def write(publisher: Publisher, destination: Destination, max_age: int, *, allow_removal: bool) -> list[str]:
    """Write what differs; the paths that were written.

    Raises:
        OIDCError: it must not be written, or cannot.
    """
    published = publisher.published
    if published is None:
        raise SourceError("there is nothing to publish")
    files = export.artifacts(published, max_age)
    export.check_successor(
        published, _live(destination, files[0].path), publisher.books.both, allow_removal=allow_removal
    )
    return [artifact.path for artifact in files if destination.write(artifact)]


def _live(destination: Destination, path: str) -> KeySet:
    body = destination.read(path)
    if body is None:
        return ()
    try:
        return jwks.parse(body, f"{destination.place}/{path}")[0]
    except DocumentError as problem:
        log.warning("what is there is no JWKS and is replaced", reason=str(problem))
        return ()


async def check(url: str, ca: Path | None, expected: Publication) -> list[str]:
    """What is live at `url` otherwise than expected, in words.

    Raises:
        ConfigError, SourceError: the CA file cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as problem:
        raise SourceError(f"{ca}: {problem}") from None
    bodies = []
    async with session(context) as asking:
        for path in (DISCOVERY_PATH, JWKS_PATH):
            try:
                bodies.append(await fetch(asking, url.rstrip("/") + path, {}))
            except OIDCError as problem:
                return [str(problem)]
    return export.differences(expected, *bodies)
