"""The body of an upload as the client meant it: unframed, and checked against every sum that came with it.

SDKs send over TLS a body whose hash they do not sign (`STREAMING-UNSIGNED-PAYLOAD-TRAILER`): framed in chunks, with a
checksum behind the last. A frame that is not exactly so is refused, not repaired.
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Final

from sts.refusals import Refused
from sts.sigv4 import STREAMING_UNSIGNED, HttpRequest

_SUMS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "x-amz-checksum-sha1": lambda body: hashlib.sha1(body).digest(),  # noqa: S324 -- a sum, no signature
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
    "content-md5": lambda body: hashlib.md5(body).digest(),  # noqa: S324 -- a sum, no signature
}
_SIZE_DIGITS: Final = 8


def uploaded(request: HttpRequest) -> bytes:
    """The object's bytes.

    Raises:
        Refused: the framing is broken, a sum is wrong, or none that we know stands behind an unsigned body.
    """
    streamed = request.header("x-amz-content-sha256") == STREAMING_UNSIGNED
    encoding = request.header("content-encoding")
    if encoding != ("aws-chunked" if streamed else "") or (not streamed and request.header("x-amz-trailer")):
        raise Refused(
            "NotImplemented", 501, "A header you provided implies functionality that is not implemented",
            f"content-encoding {encoding[:64]!r}, x-amz-content-sha256 {request.header('x-amz-content-sha256')[:64]!r}",
        )  # fmt: skip
    body, sums = _unframed(request) if streamed else (request.body, [])
    for name, value in [*request.headers, *sums]:
        if name in _SUMS:
            _check(name, value, body)
    return body


def _unframed(request: HttpRequest) -> tuple[bytes, list[tuple[str, str]]]:
    named = request.header("x-amz-trailer").strip().lower()
    if named not in _SUMS:
        raise Refused(
            "NotImplemented", 501, "A header you provided implies functionality that is not implemented",
            f"x-amz-trailer {named[:64]!r}; known are {', '.join(sorted(_SUMS))}",
        )  # fmt: skip
    rest, body = request.body, bytearray()
    while True:
        size, rest = _size(rest)
        if size == 0:
            break
        if rest[size : size + 2] != b"\r\n":
            raise _incomplete("a chunk is not as long as it says")
        body += rest[:size]
        rest = rest[size + 2 :]
    if str(len(body)) != request.header("x-amz-decoded-content-length"):
        raise _incomplete("x-amz-decoded-content-length is another")
    name, colon, value = rest.removesuffix(b"\r\n\r\n").partition(b":")
    if not colon or name.decode("latin-1").lower() != named or b"\r" in value or not rest.endswith(b"\r\n\r\n"):
        raise Refused("MalformedTrailerError", 400, "The request contained trailing data that was not well-formed.")
    return bytes(body), [(named, value.decode("latin-1").strip())]


def _size(rest: bytes) -> tuple[int, bytes]:
    digits, line, after = rest.partition(b"\r\n")
    if not line or not 0 < len(digits) <= _SIZE_DIGITS or digits.strip(b"0123456789abcdefABCDEF"):
        raise _incomplete("a chunk has no size")
    return int(digits, 16), after


def _check(name: str, value: str, body: bytes) -> None:
    try:
        claimed = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        claimed = b""
    if claimed != _SUMS[name](body):
        sent = "Content-MD5" if name == "content-md5" else name.removeprefix("x-amz-checksum-").upper()
        raise Refused("BadDigest", 400, f"The {sent} you specified did not match the calculated checksum.")


def _incomplete(reason: str) -> Refused:
    return Refused("IncompleteBody", 400, "The request body terminated unexpectedly", f"aws-chunked: {reason}")
