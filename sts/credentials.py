"""Temporary credentials: minted here, sealed into the session token, opened again at each request.

All that a request needs to know of a session is inside its token, sealed with AES-256-GCM and bound to the access key
id; so sessions survive a restart and any replica with the same key opens them. A token that was changed in one bit, or
that belongs to another access key, does not open.
"""

import base64
import binascii
import hashlib
import hmac
import math
from collections.abc import Callable
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sts import identifiers

KEY_BYTES: Final = 32
TOKEN_LIMIT: Final = 8192  # characters; what we seal stays far below, since tags and policies are packed below that
_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_NAME_BYTES: Final = 4

Entropy = Callable[[int], bytes]


class Session(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What temporary credentials stand for.

    Attributes:
        account: of the role or the user.
        principal: the ARN of the role or of the user, path included.
        principal_id: the unique id of that role or user when the session began.
        name: the session name; empty for a user's session.
        issued: seconds since the epoch.
        expires: seconds since the epoch.
        provider: the identity provider's ARN, where a web identity began it.
        scope: session policies and tags, packed by `sts.scope`.
        mfa: whether a code of an MFA device was given for a user's session.
        padding: means nothing, and makes the token as long as the client asked for.
    """

    access_key_id: str
    secret: str
    account: str
    principal: str
    principal_id: str
    name: str
    issued: int
    expires: int
    provider: str = ""
    source_identity: str = ""
    scope: bytes = b""
    mfa: bool = False
    padding: bytes = b""


class SealBroken(ValueError):  # noqa: N818 -- a state of the token
    """A session token that none of our keys opens for this access key id."""


class SealingKeys:
    """Keys that seal and open session tokens: the first seals, all open.

    Args:
        keys: 32 random bytes each, at least one.
    """

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"at least one key of {KEY_BYTES} bytes is needed")
        self._ciphers = {_name(key): AESGCM(key) for key in reversed(keys)}
        self._first = _name(keys[0])

    def seal(self, session: Session, entropy: Entropy, least: int = 0) -> str:
        """The session token, in base64 as AWS's own are, of `least` characters or more."""
        token = self._sealed(session, entropy)
        if len(token) >= least:
            return token
        padding = bytes(math.ceil((least - len(token)) * 3 / 4) + 2)  # base64 may have filled up two that count now
        return self._sealed(msgspec.structs.replace(session, padding=padding), entropy)

    def _sealed(self, session: Session, entropy: Entropy) -> str:
        nonce = entropy(_NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(
            nonce, msgspec.msgpack.encode(session), session.access_key_id.encode()
        )
        return _base64(_VERSION + self._first + nonce + sealed)

    def open(self, token: str, access_key_id: str) -> Session:
        """What was sealed.

        Raises:
            SealBroken: the token is not ours, was changed, or was given to another access key id.
        """
        try:
            raw = base64.b64decode(token[:TOKEN_LIMIT], validate=True)
            cipher = self._ciphers[raw[1:5]]
            if raw[:1] != _VERSION or len(token) > TOKEN_LIMIT or _base64(raw) != token:
                raise SealBroken("not a session token of this STS")
            opened = cipher.decrypt(raw[5 : 5 + _NONCE_BYTES], raw[5 + _NONCE_BYTES :], access_key_id.encode())
            return _decoder.decode(opened)
        except KeyError as problem:
            raise SealBroken("sealed with a key that is not in the session key file") from problem
        except InvalidTag as problem:
            raise SealBroken("changed, or of another access key id") from problem
        except ValueError as problem:
            raise SealBroken("not a session token of this STS") from problem


_decoder: Final = msgspec.msgpack.Decoder(Session)


def parse_keys(content: bytes) -> SealingKeys:
    """The keys of a session key file: one a line, urlsafe base64 of 32 bytes; blank lines are skipped.

    Raises:
        ValueError: a line is no such key, or there is none; the text names the line and never the key.
    """
    keys = []
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            try:
                key = base64.b64decode(line.strip(), altchars=b"-_", validate=True)
            except ValueError:
                key = b""
            if len(key) != KEY_BYTES:
                raise ValueError(f"line {number}: a key is the urlsafe base64 of {KEY_BYTES} random bytes")
            keys.append(key)
    if not keys:
        raise ValueError(f"no key in it; a line with the urlsafe base64 of {KEY_BYTES} random bytes is needed")
    return SealingKeys(tuple(keys))


def fresh_pair(account: str, entropy: Entropy) -> tuple[str, str]:
    """A new temporary access key id and its secret of 40 characters."""
    drawn = entropy(36)
    return identifiers.mint(identifiers.SESSION_KEY, account, drawn[:6]), _base64(drawn[6:])


def same(one: str, other: str) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest(one.encode(errors="surrogatepass"), other.encode(errors="surrogatepass"))


def _base64(content: bytes) -> str:
    return binascii.b2a_base64(content, newline=False).decode()


def _name(key: bytes) -> bytes:
    return hashlib.sha256(b"irsa session key" + key).digest()[:_NAME_BYTES]
