"""The port: every request is STS's or the gateway's, is decided on, answered and logged.

Two doors lead to STS: AssumeRoleWithWebIdentity comes unsigned, everything else signed. A request signed for another
service, or none that STS could mean, is the gateway's. This is the one place where a refusal becomes an answer; each
decision is one log line with its reason, and no line has a token, a secret or a signature.
"""

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from random import getrandbits
from typing import Final

import msgspec
from prometheus_client import REGISTRY

from irsa.runtime.figures import Decisions
from irsa.runtime.logs import Log
from sts import authorization, circumstances, gateway, refusals, sigv4, wire
from sts.actions import web_identity
from sts.actions.access_key_info import access_key_info
from sts.actions.answer import Answer, Call
from sts.actions.assume_role import assume_role
from sts.actions.caller_identity import caller_identity
from sts.actions.session_token import session_token
from sts.callers import Caller, authenticate
from sts.http import BODY_LIMIT, Fault, Reply
from sts.issuers import Issuers
from sts.mfa import Spent
from sts.state import State

log: Final = Log("sts")

DECISIONS: Final = Decisions(
    ("irsa_sts_requests", "Requests by action and answer."),
    ("irsa_sts_request_seconds", "Time to decide and answer."),
    labels=("service", "action", "code"),
    edges=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    shared=1,
)
REGISTRY.register(DECISIONS)  # type: ignore[arg-type,unused-ignore]

REASON_LIMIT: Final = 2048  # characters of a reason in the log

# Actions that need a signature; their name is checked before the signature is, as AWS does.
SIGNED: Final[Mapping[str, Callable[[Call, Caller], Answer]]] = {
    "AssumeRole": assume_role,
    "GetAccessKeyInfo": access_key_info,
    "GetCallerIdentity": caller_identity,
    "GetSessionToken": session_token,
}
# AWS has these; a clear word is better than an unknown action.
NOT_PROVIDED: Final = frozenset({
    "AssumeRoleWithSAML", "AssumeRoot", "DecodeAuthorizationMessage", "GetDelegatedAccessToken", "GetFederationToken",
    "GetWebIdentityToken",
})  # fmt: skip
UNSIGNED: Final = "AssumeRoleWithWebIdentity"
ACTIONS: Final = frozenset({UNSIGNED, *SIGNED})
_LABELS: Final = ACTIONS | authorization.OPERATIONS


def _request_id() -> str:
    """A random UUID, no secret, in a third of the time that Python's own takes."""
    digits = f"{getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


class Decision(msgspec.Struct):
    """One request's decision as it comes about; ends as one log line, one count and one answer.

    Attributes:
        facts: what the log line says; filled as things become known, so that a refusal has them too.
        signature: what the request says of its own, nothing of it verified.
    """

    service: str
    action: str = ""
    request_id: str = msgspec.field(default_factory=_request_id)
    began: float = msgspec.field(default_factory=time.perf_counter)
    facts: dict[str, object] = msgspec.field(default_factory=dict)
    signature: sigv4.Signature | None = None

    def close(self, code: str, reason: str = "") -> None:
        """Count and log it."""
        # Actions come from the client; only those that we know become a label.
        action = self.action if self.action in _LABELS else "other"
        DECISIONS.made((self.service, action, code), time.perf_counter() - self.began)
        fields = {"service": self.service, "action": self.action[:128], "code": code}
        if reason:
            fields["reason"] = _short(reason)
        if code == "ok":
            log.info("allowed", **fields, **self.facts, request_id=self.request_id)
        else:
            log.warning("refused", **fields, **self.facts, request_id=self.request_id)


def _short(reason: str) -> str:
    """What a client sent may be in it, whole, and is not to fill the log."""
    return reason if len(reason) <= REASON_LIMIT else f"{reason[:REASON_LIMIT]}… ({len(reason)} characters)"


class Server:
    """Decides over a state, the issuers' keys and, where there is an upstream, the gateway."""

    def __init__(
        self, state: State, issuers: Issuers, s3: gateway.Gateway | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._state = state
        self._issuers = issuers
        self._s3 = s3
        self._clock = clock
        self._spent = Spent()

    def answer(self, asked: sigv4.HttpRequest, fault: Fault | None = None) -> Reply | Awaitable[Reply]:
        """The answer to a request, at once where nothing has to be waited for.

        One with a fault is refused, in the words of the door that it came to.
        """
        signature = _signature(asked)
        s3 = is_s3(asked, signature)
        decision = Decision("s3" if s3 else "sts", signature=signature)
        if fault is not None:
            return _refuse(_faulty(fault), decision)
        if s3:
            return _waited_for(self._s3_answer(asked, decision), decision)
        try:
            return self._sts_answer(asked, decision)
        except Exception as problem:  # noqa: BLE001 -- the one place where it becomes an answer
            return _failed(problem, decision)

    def _sts_answer(self, asked: sigv4.HttpRequest, decision: Decision) -> Reply | Awaitable[Reply]:
        given = wire.parameters(asked.query.encode(), asked.body if _is_form(asked) else b"")
        decision.action = given.get("Action", "")
        if not decision.action:
            raise refusals.missing_action()
        if decision.action in NOT_PROVIDED:
            raise refusals.Refused("NotImplemented", 501, f"{decision.action} is not provided by this STS.")
        if decision.action not in ACTIONS or given.get("Version") != wire.VERSION:
            raise refusals.unknown_action(decision.action, given.get("Version", ""))
        if decision.action == UNSIGNED:
            return self._web_identity(given, asked, decision)
        return _allowed(self._signed(given, asked, decision), decision)

    def _web_identity(
        self, given: wire.Parameters, asked: sigv4.HttpRequest, decision: Decision
    ) -> Reply | Awaitable[Reply]:
        decision.facts = {"role": given.get("RoleArn", "")[:2048], "session": given.get("RoleSessionName", "")[:64]}
        question = web_identity.ask(given, self._state.now().accounts)
        # Not verified yet, and said to be so where the decision falls before the signature's.
        decision.facts |= web_identity.told(question.token)
        if keys := self._issuers.known(question.provider, question.token.kid):
            return _allowed(web_identity.assume(question, keys, self._call(given, asked)), decision)

        async def fetched() -> Reply:
            found = await self._issuers.keys(question.provider, question.token.kid)
            return _allowed(web_identity.assume(question, found, self._call(given, asked)), decision)

        return _waited_for(fetched(), decision)

    def _signed(self, given: wire.Parameters, asked: sigv4.HttpRequest, decision: Decision) -> Answer:
        caller = self._caller(asked, decision)
        if "RoleArn" in given:
            decision.facts.update(role=given["RoleArn"][:2048], session=given.get("RoleSessionName", "")[:64])
        return SIGNED[decision.action](self._call(given, asked, _region(decision)), caller)

    async def _s3_answer(self, asked: sigv4.HttpRequest, decision: Decision) -> Reply:
        if self._s3 is None:
            raise refusals.Refused(
                "NotImplemented", 501, "No upstream is configured for this service.", "no --upstream s3=URL was given"
            )
        caller = self._caller(asked, decision)
        decision.facts["request"] = f"{asked.method} {asked.path[:1024]}"
        now = self._clock()
        surroundings = circumstances.surroundings(asked, now, _region(decision))
        surroundings |= circumstances.of_object(asked, decision.signature, now)
        needed = self._s3.decide(asked, caller, surroundings)
        decision.action = needed.operation
        forwarded = await self._s3.forward(asked, needed, caller, surroundings)
        decision.facts["status"] = forwarded.status
        decision.close("ok")
        headers = {**forwarded.headers, "x-amz-request-id": decision.request_id}
        return Reply(forwarded.status, forwarded.body, headers)

    def _caller(self, asked: sigv4.HttpRequest, decision: Decision) -> Caller:
        state = self._state.now()
        caller = authenticate(
            asked,
            service=decision.service,
            accounts=state.accounts,
            sealing=state.sealing,
            now=self._clock(),
            signature=decision.signature,
        )
        decision.facts["caller"] = caller.arn
        return caller

    def _call(self, given: wire.Parameters, asked: sigv4.HttpRequest, region: str = "") -> Call:
        state, now = self._state.now(), self._clock()
        return Call(
            given,
            state.accounts,
            state.sealing,
            circumstances.surroundings(asked, now, region),
            now,
            os.urandom,
            self._spent,
        )


async def _waited_for(work: Awaitable[Reply], decision: Decision) -> Reply:
    try:
        return await work
    except Exception as problem:  # noqa: BLE001 -- as in `Server.answer`
        return _failed(problem, decision)


def _allowed(answer: Answer, decision: Decision) -> Reply:
    decision.facts |= answer.log
    decision.close("ok")
    return Reply(
        200,
        wire.success(decision.action, answer.result, decision.request_id),
        {"x-amzn-RequestId": decision.request_id, "Content-Type": "text/xml"},
    )


def _failed(problem: Exception, decision: Decision) -> Reply:
    if isinstance(problem, refusals.Refused):
        return _refuse(gateway.in_s3_words(problem) if decision.service == "s3" else problem, decision)
    # Ours: a trace in the log, no detail for the client.
    log.error("bug", exception=problem, request_id=decision.request_id)
    return _refuse(refusals.Refused("InternalFailure", 500, "An internal error occurred."), decision)


def is_s3(asked: sigv4.HttpRequest, signature: sigv4.Signature | None) -> bool:
    """Whether a request is for the gateway: signed for another service, or none that STS could mean."""
    if signature is not None:
        return signature.service != "sts"
    if asked.path != "/":
        return True
    return asked.method not in {"GET", "POST"} or "x-amz-content-sha256" in {name for name, _ in asked.headers}


def _region(decision: Decision) -> str:
    """Of the signature; to be asked for once that is verified."""
    return decision.signature.region if decision.signature else ""


def _signature(asked: sigv4.HttpRequest) -> sigv4.Signature | None:
    """What a request says of its signature; None also where that is malformed, which is told once the door is known."""
    try:
        return sigv4.parse(asked)
    except refusals.Refused:
        return None


def _faulty(fault: Fault) -> refusals.Refused:
    if fault is Fault.TOO_LARGE:
        return refusals.Refused("RequestEntityTooLarge", 413, f"The body is larger than {BODY_LIMIT} bytes.")
    return refusals.Refused("RequestTimeout", 400, "The body did not come in time.")


def _is_form(asked: sigv4.HttpRequest) -> bool:
    kind = asked.header("content-type").partition(";")[0].strip().lower()
    return asked.method == "POST" and kind == "application/x-www-form-urlencoded"


def _refuse(refused: refusals.Refused, decision: Decision) -> Reply:
    decision.close(refused.code, refused.reason)
    if decision.service == "s3":
        headers = {"Content-Type": "application/xml", "x-amz-request-id": decision.request_id}
        return Reply(refused.status, gateway.failure(refused, decision.request_id), headers)
    headers = {"Content-Type": "text/xml", "x-amzn-RequestId": decision.request_id}
    return Reply(refused.status, wire.failure(refused, decision.request_id), headers)
