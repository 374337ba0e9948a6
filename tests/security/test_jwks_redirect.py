"""Attack: an issuer that sends the STS elsewhere, to its own walls or a metadata service."""

import pytest
from aiohttp import web

from tests.security.issuers import UNUSABLE, Handler, body
from tests.sts.world import World, answer_of

ANSWERS: dict[str, tuple[Handler, tuple[str, int]]] = {
    "to itself": (body(b"", 302, Location="/.well-known/openid-configuration"), UNUSABLE),
    "to a metadata service": (body(b"", 307, Location="http://169.254.169.254/latest/meta-data"), UNUSABLE),
    "for ever": (body(b"", 308, Location="/openid/v1/jwks"), UNUSABLE),
}


@pytest.mark.parametrize("handler, expected", ANSWERS.values(), ids=ANSWERS)
def test_no_redirect_is_followed(aws: World, handler: Handler, expected: tuple[str, int]) -> None:
    """Whatever the status and the place."""
    aws.issuer.answer = handler
    assert expected == answer_of(aws.assume, aws.issuer.token())


def test_the_place_is_never_asked(aws: World) -> None:
    """Not even by a request whose answer is thrown away."""
    assert ("ok", 200) == answer_of(aws.assume, aws.issuer.token())
    asked = len(aws.issuer.asked)
    aws.reset()

    async def away(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{aws.issuer.url}/.well-known/openid-configuration"})

    aws.issuer.answer = away
    assert UNUSABLE == answer_of(aws.assume, aws.issuer.token())
    assert asked == len(aws.issuer.asked)
