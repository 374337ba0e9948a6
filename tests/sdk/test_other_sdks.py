"""Official SDKs but boto3, unchanged, by the variables that the webhook gives a pod: a token file, a role, an endpoint.

They are installed by their own package managers into the user's cache; where one is missing its test is skipped.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sts.world import World

pytestmark = pytest.mark.nightly
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "irsa" / "sdk"

JAVASCRIPT = """
import { STSClient, GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { S3Client, ListBucketsCommand } from "@aws-sdk/client-s3";
const who = await new STSClient({}).send(new GetCallerIdentityCommand({}));
console.log(who.Arn);
const listed = await new S3Client({ forcePathStyle: true }).send(new ListBucketsCommand({}));
console.log(JSON.stringify((listed.Buckets ?? []).map((bucket) => bucket.Name)));
"""

GO = """
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	ctx := context.Background()
	loaded, err := config.LoadDefaultConfig(ctx)
	if err == nil {
		var who *sts.GetCallerIdentityOutput
		if who, err = sts.NewFromConfig(loaded).GetCallerIdentity(ctx, nil); err == nil {
			fmt.Println(*who.Arn)
			client := s3.NewFromConfig(loaded, func(options *s3.Options) { options.UsePathStyle = true })
			var listed *s3.ListBucketsOutput
			if listed, err = client.ListBuckets(ctx, nil); err == nil {
				fmt.Println(len(listed.Buckets))
			}
		}
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
"""


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


def run(command: list[str], folder: Path, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="session")
def javascript() -> list[str]:
    """The command of a program over AWS SDK for JavaScript v3."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    folder = CACHE / "javascript"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.mjs").write_text(JAVASCRIPT)
    if not (folder / "node_modules" / "@aws-sdk" / "client-s3").exists():
        done = run(["npm", "install", "--no-audit", "--no-fund", "@aws-sdk/client-sts", "@aws-sdk/client-s3"], folder)
        assert done.returncode == 0, done.stderr
    return ["node", str(folder / "main.mjs")]


@pytest.fixture(scope="session")
def go() -> list[str]:
    """The command of a program over AWS SDK for Go v2."""
    if not shutil.which("go"):
        pytest.skip("go is not installed")
    folder = CACHE / "go"
    folder.mkdir(parents=True, exist_ok=True)
    changed = not (folder / "main.go").exists() or (folder / "main.go").read_text() != GO
    (folder / "main.go").write_text(GO)
    if changed or not (folder / "main").exists():
        if not (folder / "go.mod").exists():
            run(["go", "mod", "init", "example.test/irsa"], folder)
        for command in (["go", "mod", "tidy"], ["go", "build", "-o", "main", "."]):
            done = run(command, folder)
            assert done.returncode == 0, done.stderr
    return [str(folder / "main")]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("sdk", ["javascript", "go"])
def test_an_sdk_gets_its_role_and_lists_buckets(
    aws_with_s3: World, tmp_path: Path, sdk: str, request: pytest.FixtureRequest
) -> None:
    """Token for credentials, credentials for a list, both verified."""
    command = request.getfixturevalue(sdk)
    done = run(command, tmp_path, environment(aws_with_s3, tmp_path, "s3-reader"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("arn:aws:sts::111122223333:assumed-role/s3-reader/")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("sdk", ["javascript", "go"])
def test_an_sdk_reads_our_refusals(
    aws_with_s3: World, tmp_path: Path, sdk: str, request: pytest.FixtureRequest
) -> None:
    """STS's error and S3's, by their names."""
    command = request.getfixturevalue(sdk)
    unknown = run(command, tmp_path, environment(aws_with_s3, tmp_path, "nobody"))
    assert unknown.returncode == 1
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in unknown.stdout + unknown.stderr
    idle = run(command, tmp_path, environment(aws_with_s3, tmp_path, "team/a/idle"))
    assert idle.returncode == 1
    assert "is not authorized to perform: s3:ListAllMyBuckets" in idle.stdout + idle.stderr
