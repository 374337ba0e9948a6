"""Official SDKs but boto3, unchanged, by the variables that the webhook gives a pod: a token file, a role, an endpoint.

Their versions are pinned in `clients/`; the first run fetches and builds them.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.programs import go_program, missing, node_modules
from tests.sts.world import World

pytestmark = pytest.mark.programs
CLIENTS = Path(__file__).with_name("clients")


def environment(here: World, folder: Path, role: str) -> dict[str, str]:
    """What the webhook gives a pod."""
    (folder / "token").write_text(here.issuer.token() + "\n")
    return {
        "PATH": os.environ["PATH"], "HOME": str(folder), "AWS_ROLE_ARN": f"arn:aws:iam::111122223333:role/{role}",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "token"),
        "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_STS": here.endpoint, "AWS_ENDPOINT_URL_S3": here.endpoint,
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
    }  # fmt: skip


def run(command: list[str], folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(params=["javascript", "go"])
def sdk(request: pytest.FixtureRequest) -> list[str]:
    """The command of a program over one of the SDKs."""
    if request.param == "go":
        return [str(go_program(CLIENTS))]
    node = shutil.which("node") or missing("node is not installed; it runs the AWS SDK for JavaScript")
    return [node, str(CLIENTS / "main.mjs"), str(node_modules(CLIENTS))]


@pytest.mark.timeout(900)
def test_an_sdk_gets_its_role_and_lists_buckets(aws_with_s3: World, tmp_path: Path, sdk: list[str]) -> None:
    """Token for credentials, credentials for a list, both verified."""
    done = run(sdk, tmp_path, environment(aws_with_s3, tmp_path, "s3-reader"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("arn:aws:sts::111122223333:assumed-role/s3-reader/")


@pytest.mark.timeout(900)
def test_an_sdk_reads_our_refusals(aws_with_s3: World, tmp_path: Path, sdk: list[str]) -> None:
    """STS's error and S3's, by their names."""
    unknown = run(sdk, tmp_path, environment(aws_with_s3, tmp_path, "nobody"))
    assert unknown.returncode == 1
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in unknown.stdout + unknown.stderr
    idle = run(sdk, tmp_path, environment(aws_with_s3, tmp_path, "team/a/idle"))
    assert idle.returncode == 1
    assert "is not authorized to perform: s3:ListAllMyBuckets" in idle.stdout + idle.stderr
