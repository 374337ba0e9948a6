"""What `irsa policy check` says before AWS, or a pod, does."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from irsa.cli import main
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


def checked(tmp_path: Path, content: Any, *options: str) -> tuple[int, str]:
    file = tmp_path / "file"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    outcome = CliRunner().invoke(main, ["policy", "check", str(file), *options])
    return outcome.exit_code, outcome.output


def test_exit_codes_tell_scripts_what_was_found(tmp_path: Path) -> None:
    """0 nothing, 1 a warning, 2 what AWS would refuse or nobody can read."""
    assert (0, "") == checked(tmp_path, trust(GOOD))
    code, text = checked(tmp_path, trust({}))
    assert code == 1
    assert "every ServiceAccount of the cluster may assume the role" in text
    assert 2 == checked(tmp_path, trust({"StringEqual": {SUB: DEMO}}))[0]
    assert 2 == checked(tmp_path, "{")[0]


def test_findings_as_json_carry_place_and_code(tmp_path: Path) -> None:
    """For scripts."""
    code, text = checked(tmp_path, trust({}), "-o", "json")
    (finding,) = json.loads(text)
    assert (1, "no-subject", "warning") == (code, finding["code"], finding["level"])
    assert finding["place"].endswith("Statement[0].Condition")


def test_an_account_file_is_checked_whole(tmp_path: Path) -> None:
    """Its providers are known, so a missing one and a wrong audience are found."""
    account = {
        "AccountId": "111122223333",
        "OpenIDConnectProviders": [{"Url": f"https://{ISSUER}", "ClientIDList": ["mine"]}],
        "RoleDetailList": [
            {"RoleName": "a", "AssumeRolePolicyDocument": trust(GOOD)},
            {"RoleName": "b", "AssumeRolePolicyDocument": trust({"StringEquals": {SUB: DEMO, AUD: "mine"}})},
            {"RoleName": "c", "AssumeRolePolicyDocument": trust(GOOD, Principal={"Federated": PROVIDER + "d"})},
        ],
    }
    code, text = checked(tmp_path, {"Accounts": [account]})
    assert code == 1
    assert "role a: trust: Statement[0].Condition.StringEquals" in text
    assert "[wrong-audience]" in text
    assert "role b:" not in text
    assert "role c: trust: Statement[0].Principal.Federated" in text
