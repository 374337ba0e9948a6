"""`irsa sts` as a process: it follows its files, says no secret, and ends well."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from irsa.cli.sts import command
from tests.bench.harness import free_port
from tests.sts.test_web_identity import refusal
from tests.sts.world import RSA_KEY, SESSION, USER_KEY, Issuer, account_file, jwk


@dataclass
class Process:
    """A running STS over files in a folder."""

    folder: Path
    process: subprocess.Popen[bytes]
    port: int
    metrics: int

    def accounts(self, content: Any) -> None:
        """Change the account file the way a mounted Secret changes: by a rename."""
        text = content if isinstance(content, str) else json.dumps(content)
        (self.folder / "new").write_text(text)
        (self.folder / "new").rename(self.folder / "accounts.yaml")

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def client(self, key: tuple[str, ...] = USER_KEY) -> Any:
        names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        return SESSION.client(
            "sts",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            **dict(zip(names, key, strict=False)),
        )


def eventually(check: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)


ISSUER = Issuer("https://issuer.example.test")


def accounts(folder: Path) -> Any:
    """An account whose provider's keys are in a file."""
    (folder / "jwks.json").write_text(json.dumps({"keys": [jwk(RSA_KEY, "rsa")]}))
    content = account_file(ISSUER.url)
    content["Accounts"][0]["OpenIDConnectProviders"][0]["Local"] = {"JWKSFile": str(folder / "jwks.json")}
    return content


@pytest.fixture
def sts(tmp_path: Path) -> Iterator[Process]:
    port, metrics = free_port(), free_port()
    (tmp_path / "accounts.yaml").write_text(json.dumps(accounts(tmp_path)))
    (tmp_path / "key").write_bytes(base64.urlsafe_b64encode(b"k" * 32))
    command = [sys.executable, "-m", "irsa", "sts", f"--accounts={tmp_path}/accounts.yaml", f"--port={port}",
               "--lame-duck=0",
               f"--metrics-port={metrics}", "--host=127.0.0.1", f"--session-key-file={tmp_path}/key"]  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, env={**os.environ, "IRSA_STS_PORT": "tcp://10.0.0.1:443"})
    running = Process(tmp_path, process, port, metrics)

    def ready() -> bool:
        assert process.poll() is None, running.log()
        with contextlib.suppress(OSError):
            return running.get("/readyz") == "ok\n"
        return False

    try:
        eventually(ready)
        yield running
    finally:
        process.kill()
        process.wait()


def test_the_account_file_is_followed(sts: Process) -> None:
    """A broken file leaves the old state in service and says so once; a good one holds from then on."""
    client = sts.client()
    assert client.get_caller_identity()["Arn"].endswith("user/dev/david")
    sts.accounts("Accounts: [{AccountID: '1'}]")
    eventually(lambda: "file not reloaded; the old one stays in service" in sts.log())
    assert "line 1, Accounts[0]: Object contains unknown field `AccountID`; did you mean `AccountId`?" in sts.log()
    assert client.get_caller_identity()
    assert 'irsa_sts_reloads_total{file="accounts.yaml",result="refused"} 1.0' in sts.get("/metrics")
    changed = accounts(sts.folder)
    changed["Accounts"][0]["UserDetailList"][0]["Path"] = "/ops/"
    sts.accounts(changed)
    eventually(lambda: client.get_caller_identity()["Arn"].endswith("user/ops/david"))


def test_no_request_is_lost_while_the_file_is_read(sts: Process) -> None:
    """Good and broken ones, under calls on open connections: each call is answered, by the old or the new."""
    client, stop, seen, failed = sts.client(), threading.Event(), set(), []

    def call() -> None:
        while not stop.is_set():
            try:
                seen.add(client.get_caller_identity()["Arn"].rpartition("/")[0].rpartition("/")[2])
            except Exception as problem:  # noqa: BLE001 -- whatever it is, it must not be
                failed.append(problem)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        for number in range(2):
            sts.accounts("Accounts: [")
            eventually(lambda number=number: sts.log().count("file not reloaded") == number + 1)  # type: ignore[misc]
            changed = accounts(sts.folder)
            changed["Accounts"][0]["UserDetailList"][0]["Path"] = f"/path-{number}/"
            sts.accounts(changed)
            eventually(lambda number=number: f"path-{number}" in seen)  # type: ignore[misc]
    finally:
        stop.set()
        for caller in callers:
            caller.join()
    assert [] == failed
    assert {"dev", "path-0", "path-1"} == seen


def test_session_keys_rotate_while_sessions_live(sts: Process) -> None:
    """A new first key seals; the old one still opens, until it is taken away."""
    answer = sts.client().assume_role_with_web_identity(
        RoleArn="arn:aws:iam::111122223333:role/s3-reader", RoleSessionName="session", WebIdentityToken=ISSUER.token()
    )["Credentials"]
    session = sts.client((answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"]))
    old, new = (base64.urlsafe_b64encode(letter * 32).decode() for letter in (b"k", b"n"))
    for keys, works in ((f"{new}\n{old}\n", True), (new, False)):
        before = sts.log().count("session keys in service")
        (sts.folder / "key").write_text(keys)
        eventually(lambda before=before: sts.log().count("session keys in service") > before)  # type: ignore[misc]
        if works:
            assert session.get_caller_identity()
        else:
            assert ("InvalidClientTokenId", 403) == refusal(session.get_caller_identity)[:2]


def test_no_secret_is_ever_said(sts: Process) -> None:
    """One line a decision, with its reason; neither token nor secret nor session token nor signature."""
    token = ISSUER.token()
    answer = sts.client().assume_role_with_web_identity(
        RoleArn="arn:aws:iam::111122223333:role/s3-reader", RoleSessionName="session", WebIdentityToken=token
    )["Credentials"]
    sts.client((answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])).get_caller_identity()
    forged = token[:-8] + "AAAAAAAA"
    refusal(
        sts.client().assume_role_with_web_identity,
        RoleArn="arn:aws:iam::111122223333:role/s3-reader", RoleSessionName="session", WebIdentityToken=forged,
    )  # fmt: skip
    log = sts.log()
    for secret in (
        *token.split("."),
        forged[-30:],
        answer["SecretAccessKey"],
        answer["SessionToken"],
        USER_KEY[1],
        "kkkk",
    ):
        assert secret not in log
    lines = [json.loads(line) for line in log.splitlines()]
    decisions = [line for line in lines if line["message"] in {"allowed", "refused"}]
    assert ["ok", "ok", "InvalidIdentityToken"] == [line["code"] for line in decisions]
    assert "signature does not verify" in decisions[2]["reason"]
    assert "system:serviceaccount:default:reader" == decisions[0]["sub"]


def test_it_ends_well(sts: Process) -> None:
    """SIGTERM, exit code 0."""
    sts.process.send_signal(signal.SIGTERM)
    assert 0 == sts.process.wait(20)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "--accounts is needed"),
        (["--accounts=/dev/null", "--tls-cert=a"], "--tls-cert and --tls-key belong together"),
        (["--accounts=/dev/null", "--upstream=sqs=http://a"], "'sqs' is no service that the gateway knows"),
        (["--accounts=/dev/null", "--upstream=s3=127.0.0.1"], "write it as s3=http://127.0.0.1:5000"),
        (["--accounts=/dev/null", "--upstream=s3=http://u:p@h"], "write it as s3=http://127.0.0.1:5000"),
    ],
)
def test_wrong_options(arguments: list[str], message: str) -> None:
    """What is wrong and what would be right."""
    done = CliRunner().invoke(command, arguments)
    assert 2 == done.exit_code
    assert message in done.output


def test_a_missing_file(tmp_path: Path) -> None:
    """At start it is fatal: exit code 1, the file's name and no trace."""
    command_line = [sys.executable, "-m", "sts", f"--accounts={tmp_path}/none.yaml"]
    done = subprocess.run(command_line, capture_output=True, text=True, timeout=60, check=False)
    assert 1 == done.returncode
    assert f"No such file or directory: '{tmp_path}/none.yaml'" in done.stderr
    assert "Traceback" not in done.stderr
