"""Liveness and readiness that tell the truth.

`/livez` answers 200 as long as the event loop turns. `/readyz` answers 200 only when every named condition holds, and
otherwise 503 with a line a condition: what is missing is what an operator wants to read first. A server that is
stopping is never ready again.
"""

from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Readiness:
    """Named conditions, each unmet until `met` is called.

    Attributes:
        missing: condition -> why it does not hold, in words for an operator.
    """

    missing: dict[str, str] = field(default_factory=dict)
    stopping: bool = False

    def expect(self, condition: str, reason: str) -> None:
        """Make readiness wait for `condition`, or take it back; `reason` says why it does not hold."""
        self.missing[condition] = reason

    def met(self, condition: str) -> None:
        """The condition holds from now on."""
        self.missing.pop(condition, None)

    def stop(self) -> None:
        """The process is going: never ready again."""
        self.stopping = True

    @property
    def ready(self) -> bool:
        """Whether all conditions hold and the process stays."""
        return not self.missing and not self.stopping

    def explanation(self) -> str:
        """`ok`, or a line for each condition that does not hold."""
        if self.stopping:
            return "stopping\n"
        return "".join(f"{name}: {reason}\n" for name, reason in self.missing.items()) or "ok\n"


def routes(readiness: Readiness) -> list[web.RouteDef]:
    """GET and HEAD of `/livez`, `/healthz` and `/readyz`."""

    async def live(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def ready(_: web.Request) -> web.Response:
        return web.Response(text=readiness.explanation(), status=200 if readiness.ready else 503)

    return [web.get("/livez", live), web.get("/healthz", live), web.get("/readyz", ready)]
