"""What the stand-in for kubelet gives to a container, rule by rule."""

import base64
from collections.abc import Mapping

import pytest

from tests.cluster import podspec
from tests.cluster.podspec import Lookups, MissingError, UnsupportedError

POD = {
    "metadata": {
        "name": "p",
        "namespace": "n",
        "uid": "u",
        "annotations": {"eks.amazonaws.com/ca-bundle": "PEM"},
        "labels": {"b": "2", "a": "1"},
    },
    "spec": {"serviceAccountName": "s"},
}


def only(known: Mapping[str, Mapping[str, str]], name: str) -> Mapping[str, str]:
    if name not in known:
        raise MissingError(name)
    return known[name]


LOOKUPS = Lookups(
    token=lambda audience, seconds: f"token for {audience} of {seconds} s",
    config_map=lambda name: only({"settings": {"colour": "red"}}, name),
    secret=lambda name: only({"password": {"key": base64.b64encode(b"\x00\x01").decode()}}, name),
)


@pytest.mark.parametrize(
    "path,expected",
    [
        pytest.param("metadata.name", "p", id="name"),
        pytest.param("metadata.uid", "u", id="uid"),
        pytest.param("spec.serviceAccountName", "s", id="service-account"),
        pytest.param("metadata.annotations['eks.amazonaws.com/ca-bundle']", "PEM", id="one-annotation"),
        pytest.param("metadata.annotations['none']", "", id="no-such-annotation-is-empty"),
        pytest.param("metadata.labels", 'a="1"\nb="2"', id="all-labels-sorted"),
    ],
)
def test_fields(path: str, expected: str) -> None:
    """Each field that the downward API knows has its value."""
    assert expected == podspec.field(POD, path)


@pytest.mark.parametrize(
    "source,expected",
    [
        pytest.param(
            {"serviceAccountToken": {"path": "token", "audience": "sts.amazonaws.com", "expirationSeconds": 86400}},
            {"token": b"token for sts.amazonaws.com of 86400 s"},
            id="token",
        ),
        pytest.param({"serviceAccountToken": {"path": "t"}}, {"t": b"token for  of 3600 s"}, id="token-by-default"),
        pytest.param({"configMap": {"name": "settings"}}, {"colour": b"red"}, id="config-map"),
        pytest.param(
            {"configMap": {"name": "settings", "items": [{"key": "colour", "path": "a/b"}]}},
            {"a/b": b"red"},
            id="one-key-at-a-path",
        ),
        pytest.param({"configMap": {"name": "none", "optional": True}}, {}, id="optional-config-map"),
        pytest.param({"secret": {"name": "password"}}, {"key": b"\x00\x01"}, id="secret"),
        pytest.param(
            {"downwardAPI": {"items": [{"path": "ca.crt", "fieldRef": {
                "fieldPath": "metadata.annotations['eks.amazonaws.com/ca-bundle']"}}]}},
            {"ca.crt": b"PEM"},
            id="annotation",
        ),
    ],
)  # fmt: skip
def test_projected_files(source: dict[str, object], expected: dict[str, bytes]) -> None:
    """Each source of a projected volume becomes the files that kubelet would write."""
    assert expected == podspec.files(POD, {"name": "v", "projected": {"sources": [source]}}, LOOKUPS)


@pytest.mark.parametrize(
    "volume,problem",
    [
        pytest.param({"hostPath": {"path": "/"}}, UnsupportedError, id="volume-not-built"),
        pytest.param({"projected": {"sources": [{"clusterTrustBundle": {}}]}}, UnsupportedError, id="source-not-built"),
        pytest.param({"configMap": {"name": "none"}}, MissingError, id="no-such-config-map"),
        pytest.param(
            {"configMap": {"name": "settings", "items": [{"key": "x", "path": "x"}]}}, MissingError, id="no-key"
        ),
    ],
)
def test_what_cannot_be_given_is_an_error(volume: dict[str, object], problem: type[Exception]) -> None:
    """Nothing is left out silently: the pod would run without it, and a test would prove nothing."""
    with pytest.raises(problem):
        podspec.files(POD, {"name": "v", **volume}, LOOKUPS)


def test_variables() -> None:
    """Values, references to earlier ones, fields, keys, and whole ConfigMaps under a prefix."""
    container = {
        "envFrom": [{"prefix": "MY_", "configMapRef": {"name": "settings"}}],
        "env": [
            {"name": "A", "value": "1"},
            {"name": "B", "value": "$(A)$(B)$$(A)"},
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}},
            {"name": "D", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "x", "optional": True}}},
        ],
    }
    expected = {"MY_colour": "red", "A": "1", "B": "1$(B)$(A)", "NAME": "p", "C": "red"}
    assert expected == podspec.variables(POD, container, LOOKUPS)


@pytest.mark.parametrize(
    "text,expected",
    [
        pytest.param("/var/run/aws/token", "/tmp/x/token", id="file-below"),
        pytest.param("/var/run/aws", "/tmp/x", id="the-folder"),
        pytest.param("file:///var/run/aws/token", "file:///var/run/aws/token", id="part-of-another-path-stays"),
        pytest.param("/var/run/aws-other", "/var/run/aws-other", id="longer-name-stays"),
        pytest.param("open('/var/run/aws/token')", "open('/tmp/x/token')", id="inside-a-program"),
        pytest.param("/var/run/aws/deep/f", "/tmp/deep/f", id="deeper-mount-first"),
    ],
)
def test_mount_paths_are_replaced(text: str, expected: str) -> None:
    """A path below a mount becomes the path of the real file, and no other text changes."""
    assert expected == podspec.moved(text, {"/var/run/aws": "/tmp/x", "/var/run/aws/deep": "/tmp/deep"})
