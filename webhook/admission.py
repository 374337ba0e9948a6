"""One review from its bytes to its answer: the core of `review` with table, live look, log and metrics around it.

`begin` answers at once where the table suffices, which is nearly always; else it hands back what is to be awaited,
so that the fast path needs no task.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from prometheus_client import Counter, Histogram

from irsa.runtime.logs import Log
from webhook import review
from webhook.injection import Settings
from webhook.lookup import LiveLookup
from webhook.model import AdmissionRequest, AdmissionReview, Pod
from webhook.store import ServiceAccounts, Standing

log: Final = Log("webhook.admission")

DECISIONS: Final = Counter("irsa_admission_total", "Reviews by what became of them, and why.", ["result", "reason"])
SECONDS: Final = Histogram(
    "irsa_admission_seconds",
    "Seconds from a review's last byte to its answer.",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)


MESSAGES: Final = {"mutated": "pod mutated", "unchanged": "pod left as it is"}


class Reply(msgspec.Struct, frozen=True):
    """An HTTP answer: a JSON body and its status."""

    status: int
    body: bytes
    content_type: str = "application/json"


class Admission:
    """Answers reviews.

    Args:
        settings: what the flags and the current CA say; called for each review, since the CA may come and change.
    """

    def __init__(self, table: ServiceAccounts, lookup: LiveLookup, settings: Callable[[], Settings]) -> None:
        self._table = table
        self._lookup = lookup
        self._settings = settings

    def begin(self, body: bytes) -> Reply | Awaitable[Reply]:
        """The answer to a body, or what will give it."""
        started = time.perf_counter()
        try:
            question = review.read(body)
        except review.Malformed as problem:
            return _refused(problem, started)
        request = question.request
        assert request is not None  # noqa: S101 -- `read` guarantees it
        namespace, name = review.account_of(request)
        standing = self._table.find(namespace, name)
        if not review.concerns(request) and self._lookup.wanted(namespace, name, standing):
            return self._look(question, namespace, name, standing, started)
        return self._decide(question, request, standing, started)

    async def _look(
        self, question: AdmissionReview, namespace: str, name: str, known: Standing, started: float
    ) -> Reply:
        standing = await self._lookup.find(namespace, name, known)
        assert question.request is not None  # noqa: S101 -- `read` guarantees it
        return self._decide(question, question.request, standing, started)

    def _decide(
        self, question: AdmissionReview, request: AdmissionRequest, standing: Standing, started: float
    ) -> Reply:
        try:
            decision = review.decide(request, standing, self._settings())
            reply = Reply(200, review.answer(question, decision))
        except Exception as bug:  # noqa: BLE001 -- whatever it is, it must not become a denial
            DECISIONS.labels("error", "bug").inc()
            log.error("bug: review not answered, failurePolicy decides", exception=bug, uid=request.uid)
            return Reply(500, b"internal error\n", "text/plain")
        seconds = time.perf_counter() - started
        DECISIONS.labels(decision.result, decision.reason).inc()
        SECONDS.observe(seconds)
        _report(request, decision, seconds)
        return reply


def _refused(problem: review.Malformed, started: float) -> Reply:
    DECISIONS.labels("malformed", "malformed").inc()
    SECONDS.observe(time.perf_counter() - started)
    log.warning("no AdmissionReview of a pod: HTTP 400", reason=problem.message, uid=problem.uid)
    return Reply(400, review.refusal(problem))


def _report(request: AdmissionRequest, decision: review.Decision, seconds: float) -> None:
    namespace, name = review.account_of(request)
    fields = {"detail": decision.detail} if decision.detail else {}
    log.info(
        MESSAGES[decision.result],
        reason=decision.reason,
        **fields,
        pod=f"{namespace}/{(request.object or Pod()).title}",
        service_account=f"{namespace}/{name}",
        operations=len(decision.operations),
        uid=request.uid,
        dry_run=bool(request.dry_run),
        milliseconds=round(seconds * 1000, 3),
    )
    for warning in decision.warnings:
        log.warning(warning, pod=f"{namespace}/{(request.object or Pod()).title}", uid=request.uid)
