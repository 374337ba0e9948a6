"""One review from its bytes to its answer: the core of `review` with table, live look, log and metrics around it.

`begin` answers at once where the table suffices, which is nearly always; else it hands back what is to be awaited,
so that the fast path needs no task.
"""

import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from irsa.runtime.logs import Log
from webhook import review
from webhook.figures import GoFigures
from webhook.grants import JITTER, PodIdentity, Sources, grant
from webhook.injection import Settings
from webhook.lookup import LiveLookup
from webhook.model import AdmissionRequest, AdmissionReview, Pod
from webhook.routes import TEXT, Reply
from webhook.store import ServiceAccounts, Standing

log: Final = Log("webhook.admission")

Account = tuple[str, str]  # namespace and name of a ServiceAccount

METHODS: Final = {"role": "sts_web_identity", "pod-identity": "container_credentials"}
MESSAGES: Final = {"mutated": "pod mutated", "unchanged": "pod left as it is"}


class Admission:
    """Answers reviews.

    Args:
        settings: what the flags and the current CA say; called for each review, since the CA may come and change.
        sources: what beside annotations gives identities, for the same reason.
        figures: the Go webhook's.
    """

    def __init__(
        self,
        table: ServiceAccounts,
        lookup: LiveLookup,
        settings: Callable[[], Settings],
        sources: Callable[[], Sources] = Sources,
        figures: GoFigures | None = None,
    ) -> None:
        self._table = table
        self._lookup = lookup
        self._settings = settings
        self._sources = sources
        self._figures = figures or GoFigures()

    def begin(self, body: bytes) -> Reply | Awaitable[Reply]:
        """The answer to a body, or what will give it; never an exception."""
        started = time.perf_counter()
        try:
            question = review.read(body)
        except review.Malformed as problem:
            return self._refused(problem, started)
        except Exception as bug:  # noqa: BLE001 -- whatever it is, failurePolicy is to decide
            return self._bug(bug, started)
        request = question.request
        assert request is not None  # noqa: S101 -- `read` guarantees it
        account = review.account_of(request)
        standing = self._table.find(*account)
        if self._lookup.wanted(*account, standing) and not (
            review.concerns(request) or self._sources().settled(*account)
        ):
            return self._look(question, account, standing, started)
        return self._decide(question, account, standing, started)

    async def _look(self, question: AdmissionReview, account: Account, known: Standing, started: float) -> Reply:
        try:
            standing = await self._lookup.find(*account, known)
        except Exception as bug:  # noqa: BLE001 -- the API server waits for an answer
            return self._bug(bug, started)
        return self._decide(question, account, standing, started)

    def _decide(self, question: AdmissionReview, account: Account, standing: Standing, started: float) -> Reply:
        request = question.request
        assert request is not None  # noqa: S101 -- `read` guarantees it
        settings = self._settings()
        try:
            granted = grant(*account, standing, self._sources(), settings.defaults)
            jitter = random.randrange(JITTER + 1) if isinstance(granted, PodIdentity) else 0  # noqa: S311 -- no secret
            decision = review.decide(request, granted, settings, jitter)
            reply = Reply(200, review.answer(question, decision))
        except Exception as bug:  # noqa: BLE001 -- whatever it is, it must not become a denial
            return self._bug(bug, started)
        self._count(decision)
        reply = self._finished(reply, decision.result, decision.reason, started)
        _report(request, account, decision, time.perf_counter() - started)
        return reply

    def _refused(self, problem: review.Malformed, started: float) -> Reply:
        log.warning("no AdmissionReview of a pod: HTTP 400", reason=problem.message, uid=problem.uid)
        return self._finished(Reply(400, review.refusal(problem)), "malformed", "malformed", started)

    def _bug(self, bug: Exception, started: float) -> Reply:
        log.error("bug: review not answered, failurePolicy decides", exception=bug)
        return self._finished(Reply(500, b"500 Internal Server Error\n", TEXT), "error", "bug", started)

    def _count(self, decision: review.Decision) -> None:
        if method := METHODS.get(decision.reason):
            self._figures.pod(method)
        elif decision.reason == "service-account-unknown":
            self._figures.missing()

    def _finished(self, reply: Reply, result: str, reason: str, started: float) -> Reply:
        seconds = time.perf_counter() - started
        self._figures.decisions.made((result, reason), seconds)
        self._figures.answered("POST", "/mutate", reply.status, seconds)
        return reply


def _report(request: AdmissionRequest, account: Account, decision: review.Decision, seconds: float) -> None:
    namespace, name = account
    pod = f"{namespace}/{(request.object or Pod()).title}"
    fields = {"detail": decision.detail} if decision.detail else {}
    log.info(
        MESSAGES[decision.result],
        reason=decision.reason,
        **fields,
        pod=pod,
        service_account=f"{namespace}/{name}",
        operations=len(decision.operations),
        uid=request.uid,
        dry_run=bool(request.dry_run),
        milliseconds=round(seconds * 1000, 3),
    )
    for warning in decision.warnings:
        log.warning(warning, pod=pod, uid=request.uid)
