"""Seven bad requests, put to each local AWS that can be started here: who refuses what AWS refuses?

Anyone can repeat it: `MINISTACK=/path/to/bin/ministack python -m tests.bench sts_refusals`. The first rows are good
requests, so that a server which refuses everything does not look good. The bad ones have `aud` as a text, since not
every server reads the list that Kubernetes writes. Should ours decide wrongly, the exit code is 1.
"""

import contextlib
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tests.bench import harness, local_aws
from tests.bench.local_aws import ISSUER, Server
from tests.sts.world import FOREIGN_KEY


def call(server: Server, token: str, role: str = "s3-reader") -> str:
    """What the server says to a web identity call."""
    try:
        server.client().assume_role_with_web_identity(
            RoleArn=f"arn:aws:iam::{server.account}:role/{role}", RoleSessionName="session", WebIdentityToken=token
        )
    except ClientError as refused:
        return str(refused.response["Error"]["Code"])
    return "accepted"


def token(**claims: Any) -> str:
    """A token with `aud` as a text."""
    return ISSUER.token(**{"aud": "sts.amazonaws.com", **claims})


PAST = int(time.time()) - 7200
REQUESTS: dict[str, Callable[[Server], str]] = {
    "good, as Kubernetes writes it": lambda server: call(server, ISSUER.token()),
    "good, aud as a text": lambda server: call(server, token()),
    "1 signed by a foreign key": lambda server: call(server, token(key=FOREIGN_KEY)),
    "2 expired": lambda server: call(server, token(exp=PAST + 3600, iat=PAST, nbf=PAST)),
    "3 another ServiceAccount": lambda server: call(server, token(sub="system:serviceaccount:default:other")),
    "4 another audience": lambda server: call(server, token(aud="vault")),
    "5 an issuer never registered": lambda server: call(server, token(iss="https://other.example.test")),
    "6 the text garbage-token": lambda server: call(server, "garbage-token"),
    "7 a role that does not exist": lambda server: call(server, token(), "nobody"),
}


def main() -> None:
    """Print the table."""
    with local_aws.folder() as folder, contextlib.ExitStack() as stack:
        servers: list[Any] = [
            stack.enter_context(local_aws.ours(folder)),
            stack.enter_context(local_aws.moto(folder)),
            stack.enter_context(local_aws.ministack(folder, auth=False)),
            stack.enter_context(local_aws.ministack(folder, auth=True)),
        ]
        there = [server for server in servers if server is not None]
        rows = [[name, *(ask(server) for server in there)] for name, ask in REQUESTS.items()]
    print(
        harness.table(
            f"Seven bad requests ({harness.machine('moto')})",
            ["request", *(f"{each.name} {each.version}".strip() for each in there)],
            rows,
        )
    )
    wrong = [name for name, ours, *_ in rows if (ours == "accepted") is not name.startswith("good")]
    if wrong:
        raise SystemExit(f"irsa sts decided wrongly: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
