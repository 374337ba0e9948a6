"""AdmissionReview bytes in, AdmissionReview bytes out.

`read` takes a body apart or says what is wrong with it; `decide` finds what the pod needs; `answer` writes it down.
Nothing here denies a pod: a body that is no review is the caller's fault (`Malformed`, HTTP 400), a patch that would
not apply is ours (an exception, HTTP 500), and either way the webhook's failurePolicy decides what becomes of the pod.
"""

from typing import Final

import msgspec

from webhook import injection, patch
from webhook.annotations import RoleBinding, Unbound, read_pod
from webhook.grants import Grant, PodIdentity
from webhook.injection import Injection, Settings
from webhook.model import AdmissionRequest, AdmissionReview, Operation, Pod

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"
MIRROR: Final = "kubernetes.io/config.mirror"  # kubelet's annotation

_decoder: Final = msgspec.json.Decoder(AdmissionReview)
_encoder: Final = msgspec.json.Encoder()


class Malformed(Exception):  # noqa: N818 -- it is the body that is malformed
    """A body that is no AdmissionReview of a pod.

    Attributes:
        message: in the Go webhook's words where it has any, since its clients may look for them.
        uid: of the request, as far as it could be read.
    """

    def __init__(self, message: str, uid: str = "", api_version: str = "", kind: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.uid = uid
        self.api_version = api_version
        self.kind = kind


class Decision(msgspec.Struct, frozen=True):
    """What becomes of a pod, and why.

    Attributes:
        reason: one of a few words, fit for a metric's label.
        detail: for the log: the role, or what was missing.
    """

    reason: str
    operations: list[Operation] = []
    warnings: tuple[str, ...] = ()
    detail: str = ""

    @property
    def result(self) -> str:
        """`mutated` or `unchanged`."""
        return "mutated" if self.operations else "unchanged"


class _Response(msgspec.Struct, rename="camel", omit_defaults=True):
    uid: str
    allowed: bool
    patch_type: str = ""
    patch: bytes = b""  # msgspec writes bytes in base64, as the API wants them
    warnings: tuple[str, ...] = ()
    status: dict[str, str] = {}


class _Review(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str
    response: _Response


# What is wrong is looked at without being built: seven megabytes of `[],` would become hundreds.
class _Outline(msgspec.Struct, rename="camel"):
    api_version: msgspec.Raw = msgspec.Raw()
    kind: msgspec.Raw = msgspec.Raw()
    request: msgspec.Raw = msgspec.Raw()


class _RequestOutline(msgspec.Struct):
    uid: msgspec.Raw = msgspec.Raw()
    object: msgspec.Raw = msgspec.Raw()


_outline: Final = msgspec.json.Decoder(_Outline)
_request_outline: Final = msgspec.json.Decoder(_RequestOutline)


def read(body: bytes) -> AdmissionReview:
    """The review in `body`, its request and the pod in it guaranteed to be there.

    Raises:
        Malformed: it is none.
    """
    try:
        review = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise _malformed(body, problem) from problem
    if review.request is None:
        raise Malformed("bad content", "", review.api_version, review.kind)
    if review.request.object is None and review.request.operation != "DELETE":
        raise Malformed("unexpected end of JSON input", review.request.uid, review.api_version, review.kind)
    return review


def account_of(request: AdmissionRequest) -> tuple[str, str]:
    """Namespace and name of the ServiceAccount that the pod runs under."""
    pod = request.object or Pod()
    return request.namespace or (pod.metadata and pod.metadata.namespace) or "", pod.service_account


def concerns(request: AdmissionRequest) -> str:
    """Why the request is none of ours, or an empty string for the creation of a pod."""
    resource = request.resource
    if resource is not None and (resource.group, resource.resource) != ("", "pods"):
        return "not-a-pod"
    if request.sub_resource:
        return "subresource"
    if request.operation not in {None, "", "CREATE"}:
        return "not-a-creation"  # volumes of an existing pod cannot be changed
    if request.object is not None and MIRROR in request.object.annotations:
        return "mirror-pod"  # a static pod's image in the API: with a token the API server would refuse it
    return ""


def decide(request: AdmissionRequest, grant: Grant, settings: Settings, jitter: int = 0) -> Decision:
    """What becomes of the pod of `request`, whose ServiceAccount has this `grant`.

    Raises:
        ValueError: the patch does not apply, which would be a bug of ours.
    """
    pod = request.object
    if (why := concerns(request)) or pod is None or pod.spec is None:
        return Decision(why or "no-spec")
    if isinstance(grant, Unbound):
        return Decision("no-role", warnings=grant.warnings)
    if not isinstance(grant, RoleBinding | PodIdentity):
        return Decision("service-account-unknown")
    wishes = read_pod(pod.annotations, settings.defaults.prefix)
    if isinstance(grant, PodIdentity):
        wanted = injection.of_pod_identity(grant, pod, wishes, settings, jitter)
        return _decision("pod-identity", pod, wanted, wishes.warnings)
    wanted = injection.of_role(grant, pod, wishes, settings)
    return _decision("role", pod, wanted, grant.warnings + wishes.warnings)


def _decision(reason: str, pod: Pod, wanted: Injection, warnings: tuple[str, ...]) -> Decision:
    planned = patch.plan(pod, wanted)
    # The API server refuses a pod whose patch does not apply, whatever the failurePolicy.
    patch.apply(patch.outline(pod), planned.operations)
    if not planned.operations:
        reason = "conflict" if planned.warnings else "nothing-missing"
    return Decision(reason, planned.operations, warnings + planned.warnings, wanted.identity[0][1])


def answer(review: AdmissionReview, decision: Decision) -> bytes:
    """The AdmissionReview that carries `decision` back."""
    assert review.request is not None  # noqa: S101 -- `read` guarantees it
    response = _Response(review.request.uid, allowed=True, warnings=decision.warnings)
    if decision.operations:
        response.patch_type, response.patch = "JSONPatch", _encoder.encode(decision.operations)
    return _encoder.encode(_Review(review.api_version or API_VERSION, review.kind or KIND, response))


def refusal(problem: Malformed) -> bytes:
    """The body for a `Malformed` review: what the Go webhook's answer would be, to be sent with HTTP 400."""
    response = _Response(problem.uid, allowed=False, status={"message": problem.message})
    return _encoder.encode(_Review(problem.api_version or API_VERSION, problem.kind or KIND, response))


def _malformed(body: bytes, problem: Exception) -> Malformed:
    if not body.strip():
        return Malformed("bad content")
    try:
        outline = _outline.decode(body)
    except msgspec.ValidationError:
        return Malformed(f"couldn't get version/kind; json parse error: a JSON object is expected, not {_kind(body)}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        return Malformed(f"couldn't get version/kind; json parse error: {broken}")
    request = _request_outline.decode(outline.request) if _kind(outline.request) == "object" else _RequestOutline()
    words = [_text(request.uid), _text(outline.api_version), _text(outline.kind)]
    if bytes(request.uid) + bytes(request.object) and _kind(request.object) != "object":
        return Malformed(f"json: cannot unmarshal {_kind(request.object)} into Go value of type v1.Pod", *words)
    return Malformed(str(problem), *words)


def _text(value: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(value, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _kind(value: bytes | msgspec.Raw) -> str:
    kinds = {b"t": "bool", b"f": "bool", b'"': "string", b"[": "array", b"{": "object", b"n": "null", b"": "null"}
    return kinds.get(bytes(value).lstrip()[:1], "number")
