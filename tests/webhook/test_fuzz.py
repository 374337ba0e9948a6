"""Whatever comes in: no answer is our bug, none is an accidental denial, no patch fails to apply or undoes anything."""

import asyncio
import base64
import copy
import json
import os
from typing import Any

import jsonpatch
import kopf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa.runtime.health import Readiness
from tests.webhook.pods import ARN, review
from webhook import operator
from webhook import review as reviews
from webhook.admission import Admission
from webhook.annotations import Defaults, RoleBinding, read_pod, read_service_account
from webhook.grants import PodIdentity, Sources
from webhook.injection import Endpoints, Settings
from webhook.listener import Listener
from webhook.lookup import LiveLookup
from webhook.routes import Reply
from webhook.store import ServiceAccounts

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
LOCAL = Settings(
    region="eu-west-1", endpoints=Endpoints(sts="https://sts.example", s3="https://s3.example", ca_bundle=CA)
)
MOUNT = LOCAL.mount_path
EXAMPLES = int(os.environ.get("EXAMPLES", "60"))

names = st.sampled_from(["app", "aws-iam-token", "irsa-aws-iam-token", "data", "eks-pod-identity-token", ""])
paths = st.sampled_from([MOUNT, MOUNT + "/", "/data", "", "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"])
variables = st.sampled_from(
    ["AWS_ROLE_ARN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_CA_BUNDLE", "HOME"]
)
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


containers = st.fixed_dictionaries(
    {"name": names},
    optional={
        "env": maybe(st.lists(st.fixed_dictionaries({"name": variables}, optional={"valueFrom": junk}), max_size=4)),
        "volumeMounts": maybe(st.lists(st.fixed_dictionaries({"name": names, "mountPath": paths}), max_size=3)),
        "futureField": junk,
    },
)
sources = st.fixed_dictionaries(
    {},
    optional={
        "serviceAccountToken": st.fixed_dictionaries({"path": st.sampled_from(["token", "other"])}),
        "downwardAPI": st.fixed_dictionaries({"items": maybe(st.just([{"path": "ca.crt"}]))}),
        "secret": junk,
    },
)
volumes = st.fixed_dictionaries(
    {"name": names},
    optional={
        "projected": maybe(st.fixed_dictionaries({"sources": maybe(st.lists(sources, max_size=2))})),
        "emptyDir": junk,
    },
)
annotations = st.dictionaries(
    st.sampled_from(["skip-containers", "token-expiration", "ca-bundle", "x"]).map("eks.amazonaws.com/".__add__)
    | st.text(max_size=5),
    st.sampled_from(["app", "app,data", '"', "700", "9" * 30, ""]),
    max_size=3,
)
pods = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {"serviceAccountName": st.just("app"), "containers": st.lists(containers, min_size=1, max_size=3)},
            optional={
                "initContainers": maybe(st.lists(containers, max_size=2)),
                "volumes": maybe(st.lists(volumes, max_size=3, unique_by=lambda volume: volume["name"])),
                "nodeSelector": maybe(st.just({"kubernetes.io/os": "windows"})),
                "futureField": junk,
            },
        ),
        "metadata": st.fixed_dictionaries(
            {"name": st.just("app")},
            optional={
                "annotations": maybe(annotations),
                "labels": maybe(st.just({"a/b~c": "d"})),
                "namespace": st.just("demo"),
            },
        ),
    }
)
grants = st.sampled_from(
    [RoleBinding(ARN, "sts.amazonaws.com", 3600, True), RoleBinding(ARN, "", 3600, False), PodIdentity(3600, False)]
)


def decided(pod: dict[str, Any], grant: Any, chosen: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pod after admission, patched by jsonpatch, and the answer."""
    question = reviews.read(json.dumps(review(pod)).encode())
    assert question.request is not None
    answer = json.loads(reviews.answer(question, reviews.decide(question.request, grant, chosen)))["response"]
    patch = json.loads(base64.b64decode(answer["patch"])) if "patch" in answer else []
    return jsonpatch.apply_patch(copy.deepcopy(pod), patch), answer


def kept(before: Any, after: Any) -> bool:
    """Whether all of `before` is still in `after`, lists in their order and nothing changed."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(value is None or (key in after and kept(value, after[key])) for key, value in before.items())
    if isinstance(before, list) and isinstance(after, list):
        start = next(
            (n for n in range(len(after) + 1) if len(after) - n >= len(before) and all(map(kept, before, after[n:]))),
            None,
        )
        return start is not None
    return bool(before == after or before is None)


@settings(max_examples=EXAMPLES, deadline=None)
@given(pod=pods, grant=grants, chosen=st.sampled_from([Settings(), LOCAL]))
def test_a_patch_applies_adds_only_and_is_all_that_is_needed(pod: dict[str, Any], grant: Any, chosen: Settings) -> None:
    """It applies, nothing that was there is changed, a second pass adds nothing, and no path is mounted twice by us."""
    after, answer = decided(pod, grant, chosen)
    assert answer["allowed"]
    assert kept(pod, after)
    assert "patch" not in decided(after, grant, chosen)[1]
    for old, new in zip(pod["spec"]["containers"], after["spec"]["containers"], strict=True):
        ours = [mount["mountPath"] for mount in (new.get("volumeMounts") or [])[len(old.get("volumeMounts") or []) :]]
        theirs = {mount["mountPath"].rstrip("/") for mount in old.get("volumeMounts") or []}
        assert not theirs & {path.rstrip("/") for path in ours}
    assert len({volume["name"] for volume in after["spec"].get("volumes") or []}) == len(
        after["spec"].get("volumes") or []
    )


def admission(table: ServiceAccounts) -> Admission:
    return Admission(table, LiveLookup(None, Defaults(), "never"), lambda: LOCAL)  # type: ignore[arg-type]


@settings(max_examples=EXAMPLES, deadline=None)
@given(body=st.binary(max_size=200) | junk.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_get_an_answer_that_is_the_callers_fault(body: bytes) -> None:
    """HTTP 400 or an allowance; never a 5xx, never a denial under HTTP 200."""
    reply = admission(ServiceAccounts(Defaults())).begin(body)
    assert isinstance(reply, Reply)
    assert reply.status in {200, 400}
    assert reply.status == 400 or json.loads(reply.body)["response"]["allowed"]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    pod=pods,
    path=st.lists(
        st.sampled_from(["spec", "metadata", "containers", "volumes", "env", 0, 1, "name", "annotations"]), max_size=5
    ),
    value=junk,
)
def test_a_review_with_one_thing_replaced_by_junk(pod: dict[str, Any], path: list[Any], value: Any) -> None:
    """Wrong types anywhere in the pod are the caller's fault as well."""
    question = review(pod)
    target: Any = question["request"]["object"]
    for step in path[:-1]:
        if not (
            (isinstance(target, dict) and step in target)
            or (isinstance(target, list) and isinstance(step, int) and step < len(target))
        ):
            break
        target = target[step]
    if path and isinstance(target, dict) and isinstance(path[-1], str):
        target[path[-1]] = value
    check_answered(json.dumps(question).encode())


def check_answered(body: bytes) -> None:
    """Refused as the caller's fault, or allowed with a patch, if any, that applies."""
    table = ServiceAccounts(Defaults())
    table.set("demo", "app", {"eks.amazonaws.com/role-arn": ARN})
    reply = admission(table).begin(body)
    assert isinstance(reply, Reply)
    assert reply.status in {200, 400}
    if reply.status == 200:
        answer = json.loads(reply.body)["response"]
        assert answer["allowed"]
        if "patch" in answer:
            jsonpatch.apply_patch(json.loads(body)["request"]["object"], json.loads(base64.b64decode(answer["patch"])))


def damaged(whole: bytes, damage: list[tuple[float, int, bytes]]) -> bytes:
    """Bytes with some of them replaced: at a place between 0 and 1, so many, by these."""
    for place, count, new in damage:
        at = int(place * len(whole))
        whole = whole[:at] + new + whole[at + count :]
    return whole


SIGNS = [b"{", b"}", b"[", b"]", b'"', b":", b",", b"null", b"\\r\\n", b" ", b"0"]
DAMAGE = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=4) | st.sampled_from(SIGNS)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(pod=pods, damage=DAMAGE)
def test_a_review_with_bytes_lost_doubled_and_changed(
    pod: dict[str, Any], damage: list[tuple[float, int, bytes]]
) -> None:
    """What still is a review gets a patch that applies to it; the rest is the caller's fault."""
    check_answered(damaged(json.dumps(review(pod)).encode(), damage))


REVIEW = b"POST /mutate?timeout=10s HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
REQUESTS = b"".join(
    [
        REVIEW + b"Content-Length: 2\r\n\r\n{}",
        b"GET /readyz HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n",
        REVIEW + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
        REVIEW.replace(b"/1.1", b"/1.0") + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\nwait",
    ]
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(damage=DAMAGE)
async def test_requests_with_bytes_lost_doubled_and_changed(damage: list[tuple[float, int, bytes]]) -> None:
    """No answer on the wire is 5xx, each is whole, and the connection ends once the client has nothing more to say."""

    async def later() -> Reply:
        return Reply(200, b'"later"')

    listener = Listener(lambda body: later() if body == b"wait" else Reply(200, b"{}"), Readiness())
    async with listener.listen(0, host="127.0.0.1") as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(damaged(REQUESTS, damage))
        writer.write_eof()
        async with asyncio.timeout(20):
            seen = await reader.read()
        writer.close()
    while seen:
        head, end, seen = seen.partition(b"\r\n\r\n")
        status = int(head[9:12])
        assert end
        assert status in {100, 200, 400, 404, 405, 413, 415, 431}
        length = 0 if status == 100 else int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        assert length <= len(seen)
        seen = seen[length:]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    found=st.dictionaries(
        st.text(max_size=12).map("eks.amazonaws.com/".__add__)
        | st.sampled_from(
            ["eks.amazonaws.com/role-arn", "eks.amazonaws.com/token-expiration", "eks.amazonaws.com/skip-containers"]
        ),
        st.text(max_size=40),
    )
)
def test_any_annotation_is_read(found: dict[str, str]) -> None:
    """Nothing that a user can write stops admission, and an expiration is always one that the API server takes."""
    standing = read_service_account("demo/app", found, Defaults())
    wishes = read_pod(found, "eks.amazonaws.com")
    for expiration in (wishes.expiration, standing.expiration):
        assert expiration is None or 600 <= expiration <= 1 << 32


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(pod=pods)
async def test_kopfs_own_path_gives_the_same_pod(pod: dict[str, Any]) -> None:
    """The reference: the same functions by kopf's means, its patch applied by jsonpatch."""
    table = ServiceAccounts(Defaults())
    table.set("demo", "app", {"eks.amazonaws.com/role-arn": ARN})
    pod["metadata"]["namespace"] = "demo"
    change = kopf.Patch(body=kopf.Body(pod))
    warnings: list[str] = []
    lookup = LiveLookup(None, Defaults(), "never")  # type: ignore[arg-type]
    await operator.reference(
        kopf.Body(pod), change, warnings, table=table, lookup=lookup, settings=LOCAL, sources=Sources()
    )
    reference = jsonpatch.apply_patch(copy.deepcopy(pod), list(change.as_json_patch()))
    reply = admission(table).begin(json.dumps(review(pod)).encode())
    assert isinstance(reply, Reply)
    answer = json.loads(reply.body)["response"]
    patch = json.loads(base64.b64decode(answer["patch"])) if "patch" in answer else []
    assert reference == jsonpatch.apply_patch(copy.deepcopy(pod), patch)
    assert warnings == answer.get("warnings", [])


@pytest.mark.parametrize("depth", [100, 10_000])
def test_deep_nesting_is_refused_and_not_a_crash(depth: int) -> None:
    """Also in a field that we do not read."""
    body = b'{"request":{"uid":"u","object":{"spec":{"x":' + b"[" * depth + b"]" * depth + b"}}}}"
    reply = admission(ServiceAccounts(Defaults())).begin(body)
    assert isinstance(reply, Reply)
    assert reply.status in {200, 400}
