"""Values that are refused, and the words in which: before anything is sent, with the place and the cure."""

import json
import re

import pytest
import yaml

from tests.chart.helm import CHART, LOCAL, Install, Refused, install, render

# id: (values, local?, what helm says)
BY_THE_SCHEMA = {
    "misspelt key": ({"webhok.enabled": True}, "additional properties 'webhok' not allowed"),
    "misspelt nested key": ({"webhook.replica": 3}, "at '/webhook': additional properties 'replica' not allowed"),
    "text for a number": ({"webhook.replicas": "three"}, "at '/webhook/replicas': got string, want integer"),
    "negative replicas": ({"oidc.replicas": -1}, "at '/oidc/replicas': minimum: got -1, want 0"),
    "text for a boolean": ({"sts.enabled": "yes"}, "at '/sts/enabled': got string, want boolean"),
    "unknown failure policy": ({"webhook.failurePolicy": "Deny"}, "'/webhook/failurePolicy': value must be one of"),
    "an API server waits 30 s at most": ({"webhook.timeoutSeconds": 31}, "'/webhook/timeoutSeconds': maximum: got 31"),
    "tokens of less than ten minutes": (
        {"webhook.tokenExpirationSeconds": 60},
        "'/webhook/tokenExpirationSeconds': minimum: got 60, want 600",
    ),
    "a region that is none": ({"webhook.region": "Frankfurt"}, "at '/webhook/region': 'Frankfurt' does not match"),
    "unknown certificate source": (
        {"webhook.certificates.source": "self-signed"},
        "'/webhook/certificates/source': value must be one of 'own', 'secret', 'certManager'",
    ),
    "plain HTTP for the STS": ({"sts.tls.source": "none"}, "at '/sts/tls/source': value must be one of"),
    "a CA in base64": ({"webhook.certificates.caBundle": "LS0tLS1"}, "'/webhook/certificates/caBundle'"),
    "an issuer over http": ({"oidc.publicUrl": "http://oidc.example.com"}, "at '/oidc/publicUrl'"),
    "an issuer with a trailing slash": ({"oidc.publicUrl": "https://oidc.example.com/"}, "at '/oidc/publicUrl'"),
    "an issuer with a query": ({"oidc.publicUrl": "https://oidc.example.com?a=b"}, "at '/oidc/publicUrl'"),
    "a digest that is none": ({"image.digest": "sha256:abc"}, "at '/image/digest'"),
    "an argument that is no flag": ({"sts.extraArgs": ["import"]}, "at '/sts/extraArgs/0'"),
    "an annotation that is no text": ({"webhook.podAnnotations": {"a": 1}}, "at '/webhook/podAnnotations/a'"),
    "an upstream without a scheme": ({"sts.upstreams.s3": "minio:9000"}, "at '/sts/upstreams/s3'"),
    "a bucket's name in capitals": ({"sts.s3.buckets": ["Reports"]}, "at '/sts/s3/buckets/0'"),
    "a lame duck of hours": ({"lameDuckSeconds": 3600}, "at '/lameDuckSeconds': maximum: got 3,600, want 300"),
}
BY_THE_TEMPLATES = {
    "nobody keeps oidc's certificate": (
        install({"webhook.enabled": False}),
        "oidc.tls.source is own, but webhook.enabled is false",
    ),
    "nobody keeps the STS's certificate": (
        install({"webhook.enabled": False, "oidc.enabled": False}, local=True),
        "sts.tls.source is own, but webhook.enabled is false",
    ),
    "own Secret without a name": (
        install({"oidc.tls.source": "secret"}, namespace="team-a"),
        "oidc.tls.existingSecret is empty: name a kubernetes.io/tls Secret in namespace team-a",
    ),
    "own certificate without its CA": (
        install({"webhook.certificates.source": "secret", "webhook.certificates.existingSecret": "mine"}),
        "give both webhook.certificates.existingSecret",
    ),
    "one endpoint of two": (
        install({"webhook.stsEndpointUrl": "https://sts.example.com"}),
        "webhook.stsEndpointUrl and webhook.s3EndpointUrl go together",
    ),
    "an ingress to nowhere": (install({"oidc.ingress.enabled": True}), "oidc.ingress.enabled needs oidc.publicUrl"),
    "a route to nowhere": (install({"oidc.gateway.enabled": True}), "oidc.gateway.enabled needs oidc.publicUrl"),
    "a route of no gateway": (
        install({"oidc.gateway.enabled": True, "oidc.publicUrl": "https://a.example.com"}),
        "oidc.gateway.enabled needs oidc.gateway.parentRefs",
    ),
    "a ledger for nobody": (install({"keys.enabled": True, "oidc.enabled": False}), "keys.enabled needs oidc.enabled"),
    "no accounts": (install({"sts.enabled": True}), "needs exactly one of sts.accounts, sts.accountsFile and"),
    "accounts twice": (
        install({"sts.accountsFile": "Accounts: []", "sts.accountsSecret": "mine"}, local=True),
        "sts.accountsSecret, 2 are given",
    ),
    "buckets of each replica's own": (install({"sts.replicas": 2}, local=True), "sts.replicas must be 1 while sts.s3"),
    "two S3 servers": (install({"sts.upstreams.s3": "http://minio:9000"}, local=True), "leave one out"),
    "replicas that cannot open each other's sessions": (
        install(
            {
                "webhook.enabled": False,
                "oidc.enabled": False,
                "sts.tls.source": "certManager",
                "sts.s3.enabled": False,
                "sts.replicas": 2,
            },
            local=True,
        ),
        "need a common session key: set sts.sessionKey.existingSecret",
    ),
}


@pytest.mark.parametrize("values, message", BY_THE_SCHEMA.values(), ids=BY_THE_SCHEMA)
def test_schema(values: dict[str, object], message: str) -> None:
    with pytest.raises(Refused) as refused:
        render(install(values))
    assert message in str(refused.value)


@pytest.mark.parametrize("what, message", BY_THE_TEMPLATES.values(), ids=BY_THE_TEMPLATES)
def test_contradictions(what: Install, message: str) -> None:
    with pytest.raises(Refused) as refused:
        render(what)
    assert message in str(refused.value)


def test_the_schema_is_closed() -> None:
    """Every object of ours forbids keys that it does not name; only maps that are Kubernetes' own are open."""
    schema = json.loads((CHART / "values.schema.json").read_text())

    def open_ones(node: object, path: str) -> list[str]:
        if isinstance(node, list):
            return [found for index, each in enumerate(node) for found in open_ones(each, f"{path}/{index}")]
        if not isinstance(node, dict):
            return []
        here = [path] if "properties" in node and node.get("additionalProperties") is not False else []
        return here + [found for key, each in node.items() for found in open_ones(each, f"{path}/{key}")]

    assert [] == open_ones(schema, "")
    assert schema["additionalProperties"] is False


def test_the_schema_and_the_defaults_name_the_same_keys() -> None:
    """A value without a schema is refused by it; here the other way round: no key without a default."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())

    def resolved(node: dict[str, object]) -> dict[str, object]:
        reference = str(node.get("$ref", "")).removeprefix("#/definitions/")
        return schema["definitions"][reference] if reference else node

    def missing(node: dict[str, object], values: object, path: str) -> list[str]:
        properties = resolved(node).get("properties")
        if not isinstance(properties, dict) or not isinstance(values, dict) or not values:
            return []
        gone = [f"{path}.{key}" for key in properties if key not in values]
        return gone + [
            found
            for key in properties
            if key in values
            for found in missing(properties[key], values[key], f"{path}.{key}")
        ]

    unset = {".global", ".image.pullSecrets"}
    assert set() == {each for each in missing(schema, defaults, "") if not re.search(r"\.(claims|cpu)$", each)} - unset


def test_the_local_values_only_say_what_differs() -> None:
    defaults, local = (yaml.safe_load(path.read_text()) for path in (CHART / "values.yaml", LOCAL))

    def same(values: dict[str, object], default: dict[str, object], path: str) -> list[str]:
        found = []
        for key, value in values.items():
            if isinstance(value, dict):
                found += same(value, default[key], f"{path}.{key}")
            elif value == default[key]:
                found.append(f"{path}.{key}")
        return found

    assert [] == same(local, defaults, "")
