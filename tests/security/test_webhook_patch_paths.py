"""Names that try to steer the patch elsewhere: containers, volumes, labels and annotations with `/`, `~` and indices.

Whatever a pod calls its parts, the patch goes to places that we know, by number, and changes nothing that was there.
"""

import copy
import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.webhook.pods import BINDING, operations, patched, pod, review
from webhook import review as reviews
from webhook.grants import Grant, PodIdentity
from webhook.injection import Endpoints, Settings

PLACES = re.compile(
    r"/spec/volumes(/0)?|/spec/(containers|initContainers)/\d+/(env|volumeMounts)(/-)?"
    r"|/metadata/(labels|annotations)|/metadata/labels/eks\.amazonaws\.com~1pod-identity"
    r"|/metadata/annotations/eks\.amazonaws\.com~1ca-bundle"
)
LOCAL = Settings(endpoints=Endpoints(sts="https://sts.example", ca_bundle="-----BEGIN CERTIFICATE-----\n"))
names = st.sampled_from(
    ["/", "~", "~0", "~1", "-", "0", "", "..", "../0/image", "/spec/hostNetwork", "a~1b", "env/-", "\u2028", "app"]
) | st.text(max_size=6)


def admitted(subject: dict[str, Any], grant: Grant) -> dict[str, Any]:
    question = reviews.read(json.dumps(review(subject)).encode())
    assert question.request is not None
    return json.loads(reviews.answer(question, reviews.decide(question.request, grant, LOCAL)))  # type: ignore[no-any-return]


@settings(max_examples=60)
@given(
    called=st.lists(names, min_size=1, max_size=3),
    volumes=st.lists(names, max_size=3),
    keys=st.lists(names, max_size=3, unique=True),
    grant=st.sampled_from([BINDING, PodIdentity(3600, regional_sts=False)]),
)
def test_names_never_become_places(called: list[str], volumes: list[str], keys: list[str], grant: Grant) -> None:
    """Only additions, only at places of a fixed form; all that was there is there afterwards, in its order."""
    subject = pod(
        containers=[{"name": name, "volumeMounts": [{"name": name, "mountPath": name}]} for name in called],
        initContainers=[{"name": name, "env": [{"name": name, "value": name}]} for name in called],
        volumes=[{"name": name, "emptyDir": {}} for name in volumes],
    )
    subject["metadata"] |= {"labels": dict.fromkeys(keys, "x"), "annotations": dict.fromkeys(keys, "x")}
    before = copy.deepcopy(subject)
    answer = admitted(subject, grant)
    for operation in operations(answer):
        assert "add" == operation["op"]
        assert PLACES.fullmatch(operation["path"])
    after = patched(subject, answer)
    assert before["spec"]["volumes"] == after["spec"]["volumes"][len(after["spec"]["volumes"]) - len(volumes) :]
    for key in ("containers", "initContainers"):
        for old, new in zip(before["spec"][key], after["spec"][key], strict=True):
            for part, there in old.items():
                assert there == (new[part][: len(there)] if isinstance(there, list) else new[part])
