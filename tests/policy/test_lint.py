"""What is legal in a policy and yet surely not meant, by its code."""

from typing import Any

import pytest

from sts.policy import Kind
from sts.policy.lint import lint

ISSUER = "issuer.example/abc"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"
SUB, AUD = f"{ISSUER}:sub", f"{ISSUER}:aud"
DEMO = "system:serviceaccount:default:demo"
GOOD = {"StringEquals": {SUB: DEMO, AUD: "sts.amazonaws.com"}}


def trust(condition: Any, **changed: Any) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    return {"Version": "2012-10-17", "Statement": [statement | changed]}


@pytest.mark.parametrize(
    "document, codes",
    [
        pytest.param(trust(GOOD), [], id="as it should be"),
        pytest.param(trust({}), ["no-subject"], id="no condition"),
        pytest.param(trust({"StringEquals": {AUD: "sts.amazonaws.com"}}), ["no-subject"], id="no subject"),
        pytest.param(trust({"StringNotEquals": {SUB: DEMO}}), ["no-subject"], id="a subject that is excluded"),
        pytest.param(trust({"StringEqualsIfExists": {SUB: DEMO}}), ["no-subject"], id="a subject if there is one"),
        pytest.param(trust({"StringLike": {SUB: "system:serviceaccount:*:*"}}), ["any-subject"], id="every subject"),
        pytest.param(trust({"StringLike": {SUB: "s*:*:?*"}}), ["any-subject"], id="every subject, less plainly"),
        pytest.param(
            trust({"StringLike": {SUB: "system:serviceaccount:*:app"}}), ["any-namespace"], id="a name in any namespace"
        ),
        pytest.param(trust({"Null": {SUB: "false"}}), ["no-subject"], id="any subject, as long as there is one"),
        pytest.param(trust({"ForAnyValue:StringLike": {SUB: f"{DEMO}*"}}), [], id="a set operator on the subject"),
        pytest.param(trust({"StringEquals": {SUB: DEMO}}, Action="sts:*"), [], id="every STS action"),
        pytest.param(trust({}, Action="sts:TagSession"), [], id="tags alone, beside another statement"),
        pytest.param(trust({}, Effect="Deny"), [], id="a Deny needs no subject"),
        pytest.param(trust(GOOD, Action=["sts:AssumeRoleWithWebIdentity", "s3:*"]), ["not-sts"], id="S3 in a trust"),
        pytest.param(trust({"StringEquals": {SUB: f"{DEMO}:x"}}), ["odd-subject"], id="a subject of five parts"),
        pytest.param(trust({"StringEquals": {SUB: "system:serviceaccount:a"}}), ["odd-subject"], id="no name"),
        pytest.param(trust({"StringEquals": {SUB: DEMO.title()}}), ["odd-subject"], id="a subject in capitals"),
        pytest.param(trust({"StringEqualsIgnoreCase": {SUB: DEMO.title()}}), [], id="capitals where they do not count"),
        pytest.param(
            trust(GOOD | {"StringLike": {"aws:SourceIp": "10.*"}}), ["wrong-operator"], id="an address as a text"
        ),
        pytest.param(trust(GOOD, Sid="pods of team a"), ["odd-sid"], id="blanks in a Sid"),
        pytest.param(trust({"StringLike": {SUB: "system:serviceaccount:a:*"}}), [], id="a namespace"),
        pytest.param(
            trust({"StringEquals": {SUB: "system:serviceaccount:a:*"}}),
            ["wildcard-not-like"],
            id="star under StringEquals",
        ),
        pytest.param(trust({"StringEquals": {SUB: "default:demo"}}), ["odd-subject"], id="half a subject"),
        pytest.param(trust({"StringEquals": {SUB: DEMO, AUD: "https://a"}}), ["wrong-audience"], id="wrong audience"),
        pytest.param(
            trust(GOOD | {"StringLike": {f"{ISSUER}:kubernetes.io": "x"}}),
            ["unknown-claim"],
            id="a claim AWS has no key for",
        ),
        pytest.param(
            trust(GOOD | {"StringLike": {"other/x:sub": "x"}}), ["key-of-another-issuer"], id="other issuer's key"
        ),
        pytest.param(
            trust({"StringEquals": {f"https://{SUB}": DEMO}}),
            ["no-subject", "key-of-another-issuer"],
            id="https in the key",
        ),
        pytest.param(trust(GOOD | {"Bool": {"aws:SecureTransprot": "true"}}), ["unknown-key"], id="misspelt key"),
        pytest.param(
            trust(GOOD | {"StringEquals": {"sts:ExternalID2": "x", SUB: DEMO}}), ["unknown-key"], id="no sts key"
        ),
        pytest.param(
            trust(GOOD | {"ForAllValues:StringEquals": {f"{ISSUER}:amr": "x"}}), ["for-all-values"], id="ForAllValues"
        ),
        pytest.param(trust(GOOD, Action="sts:AssumeRole"), ["wrong-action"], id="AssumeRole for a web identity"),
        pytest.param(trust({}, Principal="*"), ["everyone"], id="everybody"),
        pytest.param(
            trust(GOOD, Principal={"Federated": f"arn:aws:iam::111122223333:oidc-provider/https://{ISSUER}"}),
            ["provider-with-scheme", "no-subject", "key-of-another-issuer", "key-of-another-issuer"],
            id="https in the provider",
        ),
        pytest.param(trust({"StringEqual": {SUB: DEMO}}), ["invalid"], id="an operator that is none"),
        pytest.param(
            trust({"StringEquals": {SUB: [f"{DEMO}{number}" for number in range(60)]}}),
            ["too-long"],
            id="over 2048 characters",
        ),
    ],
)
def test_trust_policies(document: dict[str, Any], codes: list[str]) -> None:
    """Each fault by its code, and nothing else."""
    findings = lint(document, Kind.TRUST, "trust")
    assert codes == [finding.code for finding in findings]
    assert all(finding.place.startswith("trust") and finding.problem and finding.cure for finding in findings)


@pytest.mark.parametrize(
    "statement, codes",
    [
        ({"Action": "s3:*", "Resource": "*"}, []),
        ({"Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"s3:prefx": "a"}}}, ["unknown-key"]),
        ({"Action": "s3:*", "Resource": "*", "Condition": {"Null": {"s3:RequestObjectTag/a": "true"}}}, []),
        ({"Action": "s3:*", "Resource": "*", "Condition": {"Null": {"aws:SourceIp": "true"}}}, []),
        ({"NotAction": "iam:*", "Resource": "*"}, ["not-with-allow"]),
        ({"Action": "s3:*", "NotResource": "arn:aws:s3:::a"}, ["not-with-allow"]),
        (
            {"Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"s3:prefix": "home/*"}}},
            ["wildcard-not-like"],
        ),
        ({"Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"s3:prefix": "a${*}"}}}, []),
    ],
)
def test_identity_policies(statement: dict[str, Any], codes: list[str]) -> None:
    """What holds for any policy."""
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow"} | statement}
    assert codes == [finding.code for finding in lint(document, Kind.IDENTITY, "p")]


def test_variables_without_a_version_are_named() -> None:
    """IAM's oldest trap: the document works, and the variable is plain text."""
    condition = {"StringLike": {"s3:prefix": "${aws:username}/*"}}
    document = {"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": condition}}
    assert ["variable-without-version"] == [finding.code for finding in lint(document, Kind.IDENTITY, "p")]
