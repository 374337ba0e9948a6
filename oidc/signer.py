"""Which key signs now, read off a token that the API server has just made.

Nothing is verified here and nothing is decided by it but how a published key is called: the token is our own, out of
the file that kubelet keeps, and its kid counts only if the source has a key of that name.
"""

import base64
import binascii

import msgspec


class _Header(msgspec.Struct, frozen=True):
    kid: str = ""


class _Claims(msgspec.Struct, frozen=True):
    iss: str = ""


def kid_of(token: str, issuer: str) -> str | None:
    """The kid that `token` names, if it is a JWT of `issuer`."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 -- header, claims, signature
        return None
    try:
        header = msgspec.json.decode(_decoded(parts[0]), type=_Header)
        claims = msgspec.json.decode(_decoded(parts[1]), type=_Claims)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None
    return header.kid or None if claims.iss == issuer else None


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
