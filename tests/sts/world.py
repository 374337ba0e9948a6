"""A whole small world on loopback: an issuer with keys, an account file, the STS, real sockets between them."""

import asyncio
import base64
import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import boto3
import jwt
from aiohttp import web
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from irsa.runtime.exchange import Deadlines
from irsa.runtime.listener import listen
from sts.accounts import Accounts
from sts.callers import authenticate
from sts.credentials import SealingKeys
from sts.gateway import Gateway
from sts.issuers import Issuers
from sts.listener import Listener
from sts.mfa import Spent
from sts.refusals import Refused
from sts.server import Server
from sts.sigv4 import HttpRequest
from sts.state import State

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
SUBJECT = "system:serviceaccount:default:reader"
USER_KEY = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
SESSION = boto3.session.Session()  # loads the service models once
FOREIGN_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(key: Any, kid: str) -> dict[str, Any]:
    """The public half as a JWK."""
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


@dataclass
class Issuer:
    """An OIDC issuer whose answers a test may change."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk(RSA_KEY, "rsa"), jwk(EC_KEY, "ec")])
    discovery: dict[str, Any] = field(default_factory=dict)
    answer: Any = None  # a handler that takes the place of the JWKS
    asked: list[str] = field(default_factory=list)

    def reset(self) -> None:
        """As at the beginning."""
        self.keys, self.discovery, self.answer, self.asked = [jwk(RSA_KEY, "rsa"), jwk(EC_KEY, "ec")], {}, None, []

    def token(self, *, key: Any = RSA_KEY, kid: str = "rsa", algorithm: str = "RS256", **claims: Any) -> str:
        """A token as kube-apiserver makes them; a claim of None is left out."""
        now = int(time.time())
        content = {
            "iss": self.url, "sub": SUBJECT, "aud": ["sts.amazonaws.com"], "exp": now + 3600, "iat": now, "nbf": now,
            "jti": "b2a0b2a4-0000-4000-8000-000000000000", **claims,
        }  # fmt: skip
        content = {name: value for name, value in content.items() if value is not None}
        return jwt.encode(content, key, algorithm, headers={"kid": kid})

    def application(self) -> web.Application:
        async def discovery(_: web.Request) -> web.Response:
            self.asked.append("discovery")
            document = {
                "issuer": self.url, "jwks_uri": f"{self.url}/openid/v1/jwks", "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
                **self.discovery,
            }  # fmt: skip
            return web.json_response({name: value for name, value in document.items() if value is not None})

        async def keys(request: web.Request) -> web.StreamResponse:
            self.asked.append("jwks")
            if self.answer is not None:
                return await self.answer(request)
            return web.json_response({"keys": self.keys})

        app = web.Application()
        app.add_routes([web.get("/.well-known/openid-configuration", discovery), web.get("/openid/v1/jwks", keys)])
        return app


@dataclass
class World:
    """What a test speaks with."""

    issuer: Issuer
    endpoint: str
    state: State
    path: Path
    loop: asyncio.AbstractEventLoop
    accounts: dict[str, Any] = field(default_factory=dict)
    offset: float = 0.0  # seconds that the server's clock is ahead
    server: Any = None
    listener: Any = None
    clients: dict[Any, Any] = field(default_factory=dict)

    def reset(self) -> None:
        """As at the beginning: what a test before this one changed is gone."""
        self.offset = 0.0
        self.issuer.reset()
        self.server._issuers = Issuers()
        self.server._spent = Spent()
        self.listener.port.deadlines = Deadlines()
        self.accounts = account_file(self.issuer.url)
        self.use(self.accounts)

    def use(self, accounts: dict[str, Any]) -> None:
        """Put an account file into service."""
        self.state.use_accounts(json.dumps(accounts).encode())

    def client(self, service: str = "sts", key: tuple[str, ...] = USER_KEY, **options: Any) -> Any:
        """A boto3 client; `key` is id and secret, and a session token for temporary ones."""
        known = (service, key, *options.items())
        if known not in self.clients:
            self.clients[known] = self._client(service, key, **options)
        return self.clients[known]

    def _client(self, service: str, key: tuple[str, ...], **options: Any) -> Any:
        names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        return SESSION.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            config=Config(
                parameter_validation=False, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}
            ),
            **dict(zip(names, key, strict=False)),
            **options,
        )

    def assume(self, token: str | None = None, role: str = "s3-reader", **parameters: Any) -> dict[str, Any]:
        """AssumeRoleWithWebIdentity."""
        given = {
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "RoleSessionName": "session",
            "WebIdentityToken": self.issuer.token() if token is None else token, **parameters,
        }  # fmt: skip
        return dict(self.client().assume_role_with_web_identity(**given))

    def send(self, request: HttpRequest) -> tuple[int, bytes]:
        """A request as it is, on a real socket; status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", int(self.endpoint.rpartition(":")[2]), timeout=30)
        try:
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers:
                connection.putheader(name, value)
            if request.body:
                connection.putheader("content-length", str(len(request.body)))
            connection.endheaders(request.body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def session(self, **parameters: Any) -> tuple[str, str, str]:
        """Credentials of a web identity session."""
        return key_of(self.assume(**parameters))


def key_of(answer: dict[str, Any]) -> tuple[str, str, str]:
    """The credentials in an answer."""
    found = answer["Credentials"]
    return found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]


def allow(action: str | list[str], resource: str = "*", **more: Any) -> dict[str, Any]:
    """A document with one Allow."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource, **more}]}


def trust(principal: Any, action: str = "sts:AssumeRole", **more: Any) -> dict[str, Any]:
    """A trust policy with one Allow."""
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": action, **more}],
    }


def statements(*documents: dict[str, Any]) -> dict[str, Any]:
    """Several documents in one."""
    return {"Version": "2012-10-17", "Statement": [each for document in documents for each in document["Statement"]]}


def web_trust(issuer: str, subject: str = SUBJECT) -> dict[str, Any]:
    """A trust policy for one ServiceAccount."""
    host = issuer.partition("://")[2]
    return trust(
        {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"},
        "sts:AssumeRoleWithWebIdentity",
        Condition={"StringEquals": {f"{host}:sub": subject, f"{host}:aud": "sts.amazonaws.com"}},
    )


def account_file(issuer: str) -> dict[str, Any]:
    """One account with a provider, two roles and a user."""
    return {
        "Accounts": [
            {
                "AccountId": ACCOUNT,
                "OpenIDConnectProviders": [
                    {"Url": issuer, "ClientIDList": ["sts.amazonaws.com"], "ThumbprintList": [], "Local": {}}
                ],
                "RoleDetailList": [
                    {
                        "RoleName": "s3-reader",
                        "AssumeRolePolicyDocument": web_trust(issuer),
                        "RolePolicyList": [{"PolicyName": "list", "PolicyDocument": allow("s3:ListAllMyBuckets")}],
                    },
                    {"RoleName": "idle", "Path": "/team/a/", "AssumeRolePolicyDocument": web_trust(issuer)},
                ],
                "UserDetailList": [{"UserName": "david", "Path": "/dev/"}],
                "AccessKeys": [{"UserName": "david", "AccessKeyId": USER_KEY[0], "SecretAccessKey": USER_KEY[1]}],
            }
        ]
    }


@contextmanager
def running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@contextmanager
def world(upstream: str = "") -> Iterator[World]:
    """Everything started, on ports of its own."""
    with running_loop() as loop:

        def run(coroutine: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

        issuer = Issuer()
        runner, port = run(listen(issuer.application(), port=0, host="127.0.0.1"))
        issuer.url = f"http://127.0.0.1:{port}"
        state = State(Accounts.none(), SealingKeys((b"k" * 32,)))
        here = World(issuer, "", state, Path(), loop)

        stack = AsyncExitStack()

        async def start() -> int:
            session = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
            s3 = Gateway(upstream, session) if upstream else None
            here.server = Server(state, Issuers(), s3, clock=lambda: time.time() + here.offset)
            here.listener = Listener(here.server)
            return int(await stack.enter_async_context(here.listener.listen(0, "127.0.0.1")))

        port = run(start())
        here.endpoint = f"http://127.0.0.1:{port}"
        here.reset()
        try:
            yield here
        finally:
            for closing in (stack.aclose(), runner.cleanup()):
                run(closing)


def answer_of(call: Any, *arguments: Any, **parameters: Any) -> tuple[str, int]:
    """Code and status of a call's refusal; ("ok", 200) where it is not refused."""
    try:
        call(*arguments, **parameters)
    except ClientError as refused:
        return refused.response["Error"]["Code"], refused.response["ResponseMetadata"]["HTTPStatusCode"]
    return "ok", 200


def compact_jwt(header: bytes, payload: bytes, signature: bytes | Any) -> str:
    """A JWT from raw bytes; `signature` is bytes, or an RSA key that signs."""

    def encoded(part: bytes) -> bytes:
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    signed = encoded(header) + b"." + encoded(payload)
    if not isinstance(signature, bytes):
        signature = signature.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return (signed + b"." + encoded(signature)).decode()


def signed_request(
    key: tuple[str, ...],
    *,
    method: str = "POST",
    target: str = "/",
    body: bytes = b"Action=GetCallerIdentity&Version=2011-06-15",
    service: str = "sts",
    headers: dict[str, str] | None = None,
    presigned: int = 0,
    host: str = "sts.test",
) -> HttpRequest:
    """A request signed by botocore now; `presigned` seconds in its query instead of its header."""
    names = ("access_key", "secret_key", "token")
    request = AWSRequest(method, f"https://{host}{target}", data=body or None)
    request.headers["Host"] = host
    if body:
        request.headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    for name, value in (headers or {}).items():
        del request.headers[name]  # to set it alone would add another
        request.headers[name] = value
    credentials = Credentials(**dict(zip(names, key, strict=False)))
    if presigned:
        signer = S3SigV4QueryAuth if service == "s3" else SigV4QueryAuth
        signer(credentials, service, "us-east-1", expires=presigned).add_auth(request)
    else:
        signer = S3SigV4Auth if service == "s3" else SigV4Auth
        signer(credentials, service, "us-east-1").add_auth(request)
    sent = [(name.lower(), value) for name, value in request.headers.items()]
    return HttpRequest(method, request.url.removeprefix(f"https://{host}"), sent, body)


def signed_at(request: HttpRequest) -> float:
    """Seconds since the epoch of a signed request's own date."""
    date = request.header("x-amz-date") or parse_qs(request.query)["X-Amz-Date"][0]
    return datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def decided(
    here: World, request: HttpRequest, *, service: str = "sts", after: float = 0.0, now: float | None = None
) -> str:
    """What the signature check says `now`, or `after` seconds: the caller's ARN, or the code of the refusal."""
    state = here.state.now()
    moment = signed_at(request) + after if now is None else now
    try:
        return authenticate(request, service=service, accounts=state.accounts, sealing=state.sealing, now=moment).arn
    except Refused as refused:
        return refused.code
