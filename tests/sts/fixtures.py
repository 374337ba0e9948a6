"""Fixtures of the STS tests: a world of one's own, and one with an S3 server behind the gateway."""

import os
import urllib.request
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from tests.sts.world import ACCOUNT, World, world


@pytest.fixture(scope="session")
def _aws() -> Iterator[World]:
    with world() as started:
        yield started


@pytest.fixture
def aws(_aws: World) -> World:
    """Issuer, account file and STS, as new."""
    _aws.reset()
    return _aws


@pytest.fixture(scope="session")
def s3_upstream() -> Iterator[str]:
    """A real S3 server on loopback."""
    os.environ["MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS"] = "false"  # as the chart has it
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(scope="session")
def keys_bucket(s3_upstream: str) -> str:
    """A bucket of the account, made at that server itself: the gateway makes none."""
    _make(s3_upstream, "elsewhere", "999988887777")
    return _make(s3_upstream, "keys", ACCOUNT)


def _make(upstream: str, bucket: str, account: str) -> str:
    scope = "20260101/us-east-1/s3/aws4_request"
    headers = {
        "x-moto-account-id": account,
        "Authorization": f"AWS4-HMAC-SHA256 Credential=a/{scope}, SignedHeaders=host, Signature=a",
    }
    request = urllib.request.Request(f"{upstream}/{bucket}", method="PUT", headers=headers)  # noqa: S310 -- loopback
    with urllib.request.urlopen(request):  # noqa: S310 -- loopback
        return bucket


@pytest.fixture(scope="session")
def _aws_with_s3(s3_upstream: str) -> Iterator[World]:
    with world(s3_upstream) as started:
        yield started


@pytest.fixture
def aws_with_s3(_aws_with_s3: World) -> World:
    """The same with the gateway before that server."""
    _aws_with_s3.reset()
    return _aws_with_s3
