"""Attack: a key set of 101 keys, of ten megabytes, or without an end."""

import pytest

from tests.security.issuers import UNUSABLE, Handler, body, endless, many
from tests.sts.world import World, answer_of

ANSWERS: dict[str, tuple[Handler, tuple[str, int]]] = {
    "101 keys": (body(many(100)), UNUSABLE),
    "100 keys": (body(many(99)), ("ok", 200)),
    "10 MB": (body(b" " * 10_000_000), UNUSABLE),
    "10 MB of JSON": (body(b'{"keys": [' + b" " * 10_000_000 + b"]}"), UNUSABLE),
    "no end": (endless, UNUSABLE),
    "gzip bomb": (body(b"\x1f\x8b" + b"\0" * 1000, 200, **{"Content-Encoding": "gzip"}), UNUSABLE),
    "deep JSON": (body(b"[" * 500_000), UNUSABLE),
}


@pytest.mark.parametrize("handler, expected", ANSWERS.values(), ids=ANSWERS)
def test_how_much_an_issuer_may_answer(aws: World, handler: Handler, expected: tuple[str, int]) -> None:
    """AWS's hundred keys of a kind, a MiB, and nothing is unpacked."""
    aws.issuer.answer = handler
    assert expected == answer_of(aws.assume, aws.issuer.token())
