"""How a token's text is read: as json and base64 of the standard library read it, and never more forgivingly.

Most tokens go by a faster way than these two; here each spelling must come to the same.
"""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sts import token
from sts.refusals import Refused

VALUES = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
ISSUER = {"iss": "https://issuer.example.test"}
SPELLINGS: list[dict[str, Any]] = [
    {"separators": (",", ":"), "ensure_ascii": False},
    {"separators": (",", ":")},
    {"indent": 1},
]


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


HEADER = encoded(b'{"alg":"RS256"}')


def read(payload: bytes) -> object:
    """The payload of a token that has these bytes there; None where it is refused."""
    try:
        return token.parse(f"{HEADER}.{encoded(payload)}.AA").payload
    except Refused:
        return None


def strict(raw: bytes) -> object:
    """What json makes of it, with each member once and no half a character; None where that is nothing."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    try:
        value = json.loads(raw.decode(), object_pairs_hook=once)
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("iss"), str) else None


@given(some.dictionaries(some.text(max_size=4), VALUES, max_size=4), some.sampled_from(SPELLINGS))
def test_every_spelling_of_json_reads_alike(members: dict[str, Any], spelling: dict[str, Any]) -> None:
    """Escapes, blanks, numbers of any size and shape; `repr`, since 1, 1.0 and True are equal."""
    raw = json.dumps({**ISSUER, **members}, **spelling).encode(errors="surrogatepass")
    assert repr(strict(raw)) == repr(read(raw))


@given(
    some.dictionaries(some.text(max_size=4), VALUES, max_size=4),
    some.integers(0, 200),
    some.sampled_from([b"", b'"', b",", b":", b"{", b"}", b"1", b"e5", b"\\u0041", b" ", b"\xff", b'"iss":1,']),
)
def test_what_is_spoilt_reads_as_json_reads_it(members: dict[str, Any], place: int, inserted: bytes) -> None:
    """Most of it is refused; none of it is understood in another way."""
    raw = json.dumps({**ISSUER, **members}, separators=(",", ":")).encode(errors="surrogatepass")
    place = min(place, len(raw))
    for spoilt in (raw[:place] + inserted + raw[place:], raw[:place] + inserted + raw[place + 1 :]):
        assert repr(strict(spoilt)) == repr(read(spoilt))


@given(some.text("ABQgwYZabz019-_+/=. \n", max_size=9))
def test_a_signature_has_one_spelling(text: str) -> None:
    """Base64url without padding, and no bits behind the last byte that could be others."""
    head = f"{HEADER}.{encoded(json.dumps(ISSUER).encode())}."
    try:
        found = token.parse(head + text).signature
    except Refused:
        found = None
    text = text.rstrip()  # as a file ends
    try:
        again = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        again = None
    if again is not None and encoded(again) != text:
        again = None
    assert again == found


@given(some.integers(token.KEPT_HEADER - 40, token.KEPT_HEADER + 40), some.booleans())
def test_a_header_of_any_length_reads_alike_again(length: int, sound: bool) -> None:
    """What is kept is what was read, and a refusal is no less one the second time."""
    kid = "k" * (length * 3 // 4)
    header = encoded(json.dumps({"alg": "RS256" if sound else "none", "kid": kid}).encode())
    text = f"{header}.{encoded(json.dumps(ISSUER).encode())}.AA"
    for _ in range(2):
        if sound:
            assert ("RS256", kid) == (token.parse(text).algorithm, token.parse(text).kid)
        else:
            with pytest.raises(Refused):
                token.parse(text)
