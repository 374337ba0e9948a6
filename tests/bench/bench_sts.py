"""What a checked call costs: the STS actions on our server, beside servers that check less or nothing.

The limit that nobody gets below is the bare signature verification of the token; it is measured in this process. Our
server runs twice, the second time with 10,000 roles and 1,000 providers, which must cost nothing.
"""

import contextlib
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import jwt

from tests.bench import harness, local_aws
from tests.bench.local_aws import ISSUER, Server
from tests.sts.world import EC_KEY, RSA_KEY, signed_request

CONNECTIONS = (1, 8, 32)
AUDIENCE = "sts.amazonaws.com"  # as a text, which every server here reads
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
ACTIONS = ("web identity, RS256", "web identity, ES256", "AssumeRole", "GetCallerIdentity")


def request(server: Server, action: str) -> harness.Request:
    """What is sent to a server, again and again; the signature is good for a quarter of an hour."""
    if action.startswith("web identity"):
        key: dict[str, Any] = {} if "RS256" in action else {"key": EC_KEY, "kid": "ec", "algorithm": "ES256"}
        token = ISSUER.token(aud=AUDIENCE, **key)
        given = {"Action": "AssumeRoleWithWebIdentity", "RoleArn": server.role, "RoleSessionName": "session"}
        return sent(server, body({**given, "WebIdentityToken": token}), FORM)
    given = {"Action": action}
    if action == "AssumeRole":
        given |= {"RoleArn": server.role, "RoleSessionName": "session"}
    signed = signed_request(server.key, body=body(given), host=server.url.rpartition("/")[2])
    headers = {name: value for name, value in signed.headers if name != "host"}
    return sent(server, signed.body, headers)


def sent(server: Server, form: bytes, headers: Mapping[str, str]) -> harness.Request:
    """A POST, over connections as the server keeps them: moto's for one answer, MiniStack's for a thousand."""
    moto, ministack = server.name == "moto", server.name.startswith("MiniStack")
    return harness.Request(server.url + "/", form, headers=headers, reconnects=moto, renews=ministack)


def body(given: dict[str, str]) -> bytes:
    """The form."""
    return urlencode({**given, "Version": "2011-06-15"}).encode()


def bare(token: str, key: object, algorithm: str, seconds: float = 1.0) -> float:
    """Microseconds of CPU for PyJWT to decode and verify a token."""
    count, began, end = 0, time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        jwt.decode(token, key, [algorithm], audience="sts.amazonaws.com")  # type: ignore[arg-type]
        count += 1
    return (time.process_time() - began) / count * 1e6


def main() -> None:
    """Print the tables."""
    print(harness.machine("pyjwt", "cryptography", "aiohttp", "moto"))
    limits = [
        ["RS256", f"{bare(ISSUER.token(), RSA_KEY.public_key(), 'RS256'):.0f}"],
        ["ES256", f"{bare(ISSUER.token(key=EC_KEY, kid='ec', algorithm='ES256'), EC_KEY.public_key(), 'ES256'):.0f}"],
    ]
    print(harness.table("The limit: PyJWT verifies the bare token", ["algorithm", "CPU µs"], limits))
    with local_aws.folder() as folder, contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(local_aws.ours(folder)),
            stack.enter_context(local_aws.ours(folder, "irsa sts, 10,000 roles", 10_000, 1_000)),
            stack.enter_context(local_aws.moto(folder)),
            stack.enter_context(local_aws.ministack(folder, auth=True)),
        ]
        there = [server for server in servers if server is not None]
        for action in ACTIONS:
            for connections in CONNECTIONS:
                subjects = [harness.Subject(each.name, each.pid, request(each, action)) for each in there]
                seen = harness.interleaved(subjects, connections, seconds=1.0)
                title = f"{action}, {connections} connections"
                print(harness.table(title, harness.HEADER, harness.rows(seen, "moto")))
        sizes = [[each.name, *(f"{size:.0f}" for size in harness.memory(each.pid))] for each in there]
        print(harness.table("Resident memory afterwards", ["server", "MiB", "peak MiB"], sizes))


if __name__ == "__main__":
    main()
