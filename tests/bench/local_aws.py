"""Local AWS servers side by side, each with the same provider, role and user: ours, moto's, MiniStack.

MiniStack is no dependency: `MINISTACK=/path/to/bin/ministack` names one, as `python3 -m venv x && x/bin/pip install
ministack` makes it; without it that row is left out, and said to be.
"""

import contextlib
import json
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.bench import harness
from tests.sts.world import ACCOUNT, EC_KEY, RSA_KEY, Issuer, allow, jwk, statements, trust, web_trust

SESSION = boto3.session.Session()
ISSUER = Issuer("https://issuer.example.test")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/s3-reader"
USER_KEY = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


@dataclass(frozen=True)
class Server:
    """A running server; `account` is the one whose role it has."""

    name: str
    pid: int
    url: str
    account: str
    key: tuple[str, str]
    log: Path
    version: str = ""

    @property
    def role(self) -> str:
        """The role that is assumed."""
        return f"arn:aws:iam::{self.account}:role/s3-reader"

    def client(self, service: str = "sts") -> Any:
        """A boto3 client."""
        return SESSION.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.key[0],
            aws_secret_access_key=self.key[1],
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )


def accounts(roles: int = 0, providers: int = 0) -> dict[str, Any]:
    """Our account file, with that many further roles, and providers in accounts of a hundred each."""
    trusting = statements(web_trust(ISSUER.url), trust({"AWS": ACCOUNT}))
    account = {
        "AccountId": ACCOUNT,
        "OpenIDConnectProviders": [provider(ISSUER.url)],
        "RoleDetailList": [
            {"RoleName": "s3-reader", "AssumeRolePolicyDocument": trusting, "RolePolicyList": policy("s3:*")},
            *(
                {
                    "RoleName": f"role-{number}",
                    "AssumeRolePolicyDocument": trusting,
                    "RolePolicyList": policy("s3:Get*"),
                }
                for number in range(roles)
            ),
        ],
        "UserDetailList": [{"UserName": "david", "UserPolicyList": policy("sts:*")}],
        "AccessKeys": [{"UserName": "david", "AccessKeyId": USER_KEY[0], "SecretAccessKey": USER_KEY[1]}],
    }
    further = [
        {
            "AccountId": f"{200000000000 + index}",
            "OpenIDConnectProviders": [
                provider(f"https://issuer-{index}-{number}.example.test") for number in range(100)
            ],
        }
        for index in range(providers // 100)
    ]
    return {"Accounts": [account, *further]}


def policy(action: str) -> list[dict[str, Any]]:
    """An inline policy."""
    return [{"PolicyName": "own", "PolicyDocument": allow(action)}]


def provider(url: str) -> dict[str, Any]:
    """A provider whose keys are in a file, so that no network is measured."""
    return {"Url": url, "ClientIDList": ["sts.amazonaws.com"], "Local": {"JWKSFile": "{folder}/jwks.json"}}


@contextlib.contextmanager
def ours(folder: Path, name: str = "irsa sts", roles: int = 0, providers: int = 0) -> Iterator[Server]:
    """Our STS."""
    (folder / "jwks.json").write_text(json.dumps({"keys": [jwk(RSA_KEY, "rsa"), jwk(EC_KEY, "ec")]}))
    file, log = folder / f"accounts-{roles}.json", folder / f"irsa-{roles}.log"
    file.write_text(json.dumps(accounts(roles, providers)).replace("{folder}", str(folder)))
    port, metrics = harness.free_port(), harness.free_port()
    command = [sys.executable, "-m", "irsa", "sts", f"--accounts={file}", f"--port={port}", f"--metrics-port={metrics}",
               "--host=127.0.0.1", "--lame-duck=0"]  # fmt: skip
    with harness.started(command, log) as process:
        harness.eventually(lambda: harness.answers(metrics), f"irsa sts answers; see {log}")
        yield Server(name, process.pid, f"http://127.0.0.1:{port}", ACCOUNT, USER_KEY, log)


@contextlib.contextmanager
def moto(folder: Path) -> Iterator[Server]:
    """Moto's server; any key is good for it, and its account is its own."""
    port, log = harness.free_port(), folder / "moto.log"
    command = [sys.executable, "-m", "moto.server", "--host=127.0.0.1", f"--port={port}"]
    with harness.started(command, log) as process:
        harness.eventually(lambda: harness.answers(port, "/moto-api/"), f"moto answers; see {log}")
        server = Server("moto", process.pid, f"http://127.0.0.1:{port}", "123456789012", ("test", "test"), log)
        furnish(server)
        yield server


@contextlib.contextmanager
def ministack(folder: Path, *, auth: bool) -> Iterator[Server | None]:
    """MiniStack, with its access control on or off; None where `MINISTACK` names none."""
    command = os.environ.get("MINISTACK")
    if not command:
        print(
            "MiniStack is left out: set MINISTACK=/path/to/bin/ministack (pip install ministack, in a venv of its own)"
        )
        yield None
        return
    port, log = harness.free_port(), folder / f"ministack-{auth}.log"
    environment = {
        "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "AUTH": str(auth).lower(), "LOG_LEVEL": "warning",
        "TMPDIR": str(folder),
    }  # fmt: skip
    with harness.started([command], log, environment) as process:
        harness.eventually(lambda: harness.answers(port, "/_ministack/health"), f"MiniStack answers; see {log}")
        name = f"MiniStack, AUTH {'on' if auth else 'off'}"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=10) as answer:
            version = json.load(answer).get("version", "")
        server = Server(name, process.pid, f"http://127.0.0.1:{port}", "000000000000", ("test", "test"), log, version)
        furnish(server)
        yield server


def furnish(server: Server) -> None:
    """Give another's server the same provider and role, through its own IAM."""
    iam = server.client("iam")
    documents = json.dumps(statements(web_trust(ISSUER.url), trust({"AWS": ACCOUNT}))).replace(ACCOUNT, server.account)
    with contextlib.suppress(ClientError):  # what it does not know, it does not check either
        iam.create_open_id_connect_provider(
            Url=ISSUER.url, ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40]
        )
    iam.create_role(RoleName="s3-reader", AssumeRolePolicyDocument=documents)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """For logs and account files."""
    with tempfile.TemporaryDirectory(prefix="irsa-bench-") as name:
        yield Path(name)


def settle(seconds: float = 0.2) -> None:
    """Let a server that was just started come to rest."""
    time.sleep(seconds)
