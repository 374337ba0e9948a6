"""Several sources of one issuer, such as the API servers of one cluster; what is published is the union of their keys.

While API servers are restarted one by one, each knows other keys, and a token of any of them must verify.
"""

import asyncio

import msgspec

from oidc import jwks
from oidc.errors import OIDCError, RefusedError
from oidc.sources import Observation, Source


class Several:
    """A `Source`."""

    def __init__(self, sources: tuple[Source, ...], *, shared: bool = False) -> None:
        self.place = ", ".join(source.place for source in sources)
        self._sources, self._shared = sources, shared

    async def observe(self) -> Observation:
        """Ask all at once; it takes one to answer, and the others' problems are noted."""
        answers = await asyncio.gather(*(each.observe() for each in self._sources), return_exceptions=True)
        seen = [answer for answer in answers if isinstance(answer, Observation)]
        problems = [answer for answer in answers if isinstance(answer, BaseException)]
        for problem in problems:
            if not isinstance(problem, OIDCError) or isinstance(problem, RefusedError):
                raise problem
        if not seen:
            raise problems[0]
        answer = together(seen, shared=self._shared)
        return msgspec.structs.replace(answer, problems=(*answer.problems, *(str(problem) for problem in problems)))


def together(seen: list[Observation], *, shared: bool = False) -> Observation:
    """What several sources say, as one.

    API servers of one cluster have a key in common, also while they are rotated; those of two clusters have not.

    Raises:
        RefusedError: their issuers differ; or, unless `shared`, their keys; or two keys have one kid.
    """
    issuers = sorted({each.issuer for each in seen})
    if len(issuers) > 1:
        raise RefusedError("issuer", f"the sources have different issuers: {', '.join(issuers)}")
    signers = {each.signer for each in seen}  # where they differ, or one is not known, any key may be signing
    first = {key.kid for key in seen[0].keys}
    if not shared and any(first.isdisjoint(key.kid for key in each.keys) for each in seen[1:]):
        raise RefusedError("shared", "the sources have no key in common, so they are two clusters; see --shared-issuer")
    return Observation(
        issuers[0],
        jwks.union(key for each in seen for key in each.keys),
        tuple(sorted({left for each in seen for left in each.left}, key=lambda left: left.kid)),
        signer=signers.pop() if len(signers) == 1 else None,
        problems=tuple(problem for each in seen for problem in each.problems),
    )
