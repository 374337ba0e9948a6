"""One small GET: bounded in time and size, any failure a `SourceError` that names the URL.

No redirect is followed, and nothing is unpacked: a kilobyte of gzip can be a megabyte.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Final

import aiohttp

from oidc.errors import SourceError
from oidc.jwks import BODY_LIMIT

DEADLINE_SECONDS: Final = 5.0  # of each of the two requests; the documents are served from memory


def session(context: ssl.SSLContext) -> aiohttp.ClientSession:
    """For the requests of one look, over a connection of its own."""
    connector = aiohttp.TCPConnector(ssl=context, limit=1)
    return aiohttp.ClientSession(
        connector=connector, auto_decompress=False, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
    )


async def fetch(
    session: aiohttp.ClientSession,
    url: str,
    headers: Mapping[str, str],
    server_name: str | None = None,
    *,
    deadline: float = DEADLINE_SECONDS,
) -> bytes:
    """The body of a 200 within `deadline` seconds; one byte more than `BODY_LIMIT` at most, which parsers refuse."""
    headers = {**headers, "Accept-Encoding": "identity"}
    try:
        request = session.get(url, headers=headers, allow_redirects=False, server_hostname=server_name)
        async with asyncio.timeout(deadline), request as answer:
            if answer.status != 200:  # noqa: PLR2004 -- OK
                raise SourceError(f"{url}: HTTP {answer.status}{_cure(answer.status)}")
            return await _read(answer.content)
    except TimeoutError:
        raise SourceError(f"{url}: no answer within {deadline:g} s") from None
    except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as problem:
        raise SourceError(f"{url}: {problem}") from None


async def _read(stream: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in stream.iter_any():
        body += chunk
        if len(body) > BODY_LIMIT:
            break
    return bytes(body[: BODY_LIMIT + 1])


def _cure(status: int) -> str:
    match status:
        case 401:
            return " (the token was not accepted)"
        case 403:
            return " (bind ClusterRole system:service-account-issuer-discovery)"
        case 404:
            return " (the API server publishes nothing where its --service-account-issuer is no https URL)"
    return ""
