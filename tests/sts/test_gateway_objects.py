"""Objects through the gateway, before a real S3 server: boto3 with the credentials of a web identity."""

import base64
import zlib
from pathlib import Path
from typing import Any

import pytest

from sts import authorization
from sts.gateway import upstream_target
from sts.payload import uploaded
from sts.sigv4 import STREAMING_UNSIGNED, HttpRequest
from tests.sts.test_web_identity import refusal
from tests.sts.world import SESSION, World, allow, signed_request, statements

pytestmark = pytest.mark.usefixtures("keys_bucket")
ARN = "arn:aws:s3:::keys"


@pytest.fixture
def objects(aws_with_s3: World) -> Any:
    """A client whose role may read and write below `site/`, and list the bucket."""
    permit(aws_with_s3, allow(["s3:GetObject", "s3:PutObject"], f"{ARN}/site/*"), allow("s3:ListBucket", ARN))
    return aws_with_s3.client("s3", aws_with_s3.session())


def permit(here: World, *documents: dict[str, Any]) -> None:
    """Give the role exactly these permissions."""
    role = here.accounts["Accounts"][0]["RoleDetailList"][0]
    role["RolePolicyList"] = [{"PolicyName": "objects", "PolicyDocument": statements(*documents)}]
    here.use(here.accounts)


def test_an_object_comes_back_as_it_was_put(objects: Any) -> None:
    """Bytes, content type and cache header; HEAD tells the same without the bytes."""
    key = "site/a b/ü+~'()!.json"
    put = objects.put_object(
        Bucket="keys", Key=key, Body=b'{"keys":[]}', ContentType="application/jwk-set+json", CacheControl="max-age=60"
    )
    got = objects.get_object(Bucket="keys", Key=key)
    head = objects.head_object(Bucket="keys", Key=key)
    assert b'{"keys":[]}' == got["Body"].read()
    for each in (got, head):
        assert ("application/jwk-set+json", "max-age=60", 11) == (
            each["ContentType"], each["CacheControl"], each["ContentLength"]
        )  # fmt: skip
        assert put["ETag"] == each["ETag"]


def test_a_write_keeps_its_condition(objects: Any) -> None:
    """`If-None-Match: *` for what is not there yet, `If-Match` for what was seen; else 412, nothing changes."""
    first = objects.put_object(Bucket="keys", Key="site/one", Body=b"1", IfNoneMatch="*")
    assert ("PreconditionFailed", 412) == refusal(
        objects.put_object, Bucket="keys", Key="site/one", Body=b"2", IfNoneMatch="*"
    )[:2]
    objects.put_object(Bucket="keys", Key="site/one", Body=b"3", IfMatch=first["ETag"])
    assert ("PreconditionFailed", 412) == refusal(
        objects.put_object, Bucket="keys", Key="site/one", Body=b"4", IfMatch=first["ETag"]
    )[:2]
    assert b"3" == objects.get_object(Bucket="keys", Key="site/one")["Body"].read()


@pytest.mark.parametrize(
    "operation, parameters, action",
    [
        ("get_object", {"Key": "other/one"}, "s3:GetObject"),
        ("put_object", {"Key": "other/one", "Body": b"x"}, "s3:PutObject"),
        ("put_object", {"Key": "sitemap", "Body": b"x"}, "s3:PutObject"),
    ],
)
def test_the_policy_decides_about_the_very_object(
    objects: Any, operation: str, parameters: dict[str, Any], action: str
) -> None:
    """Action and ARN are in the refusal, as AWS has it."""
    code, status, message = refusal(getattr(objects, operation), Bucket="keys", **parameters)
    assert ("AccessDenied", 403) == (code, status)
    assert f'is not authorized to perform: {action} on resource: "{ARN}/{parameters["Key"]}"' in message


def test_reading_is_not_writing(aws_with_s3: World) -> None:
    """A role with GetObject alone puts nothing; HEAD needs GetObject."""
    permit(aws_with_s3, allow("s3:GetObject", f"{ARN}/*"))
    client = aws_with_s3.client("s3", aws_with_s3.session())
    assert ("AccessDenied", 403) == refusal(client.put_object, Bucket="keys", Key="site/new", Body=b"")[:2]
    permit(aws_with_s3, allow("s3:PutObject", f"{ARN}/*"))
    assert 403 == refusal(client.head_object, Bucket="keys", Key="site/one")[1]


def test_what_is_not_there_is_told_to_who_may_list(objects: Any, aws_with_s3: World) -> None:
    """NoSuchKey with s3:ListBucket, otherwise AccessDenied: S3's own rule."""
    assert ("NoSuchKey", 404) == refusal(objects.get_object, Bucket="keys", Key="site/nothing")[:2]
    permit(aws_with_s3, allow("s3:GetObject", f"{ARN}/*"))
    code, status, message = refusal(objects.get_object, Bucket="keys", Key="site/nothing")
    assert ("AccessDenied", 403) == (code, status)
    assert "s3:ListBucket" in message


def test_policies_see_how_it_is_written(aws_with_s3: World) -> None:
    """A write without a condition can be denied, as on S3; and who signs by header is told from who presigns."""
    deny = allow("s3:PutObject", f"{ARN}/*", Condition={"Null": {"s3:if-none-match": "true"}})
    presigned = allow("s3:*", "*", Condition={"StringEquals": {"s3:authType": "REST-QUERY-STRING"}})
    for each in (deny, presigned):
        each["Statement"][0]["Effect"] = "Deny"
    permit(aws_with_s3, allow("s3:*", f"{ARN}/*"), deny, presigned)
    key = aws_with_s3.session()
    client = aws_with_s3.client("s3", key)
    assert ("AccessDenied", 403) == refusal(client.put_object, Bucket="keys", Key="site/c", Body=b"")[:2]
    client.put_object(Bucket="keys", Key="site/c", Body=b"", IfNoneMatch="*")
    request = signed_request(key, method="GET", target="/keys/site/c", body=b"", service="s3", presigned=60)
    assert 403 == aws_with_s3.send(request)[0]


def test_a_presigned_address_works(objects: Any, aws_with_s3: World) -> None:
    """And the session's token in its query stays with the gateway, which sends on no query at all."""
    objects.put_object(Bucket="keys", Key="site/p", Body=b"presigned")
    request = signed_request(
        aws_with_s3.session(), method="GET", target="/keys/site/p", body=b"", service="s3", presigned=60
    )
    assert (200, b"presigned") == aws_with_s3.send(request)
    needed = authorization.Needed("GetObject", "s3:GetObject", f"{ARN}/site/p", "keys")
    assert "X-Amz-Security-Token" in request.query
    assert needed == authorization.needed(request)
    sent = upstream_target(request)
    assert "/keys/site/p" == sent


def framed(body: bytes, trailer: bytes, *, sizes: tuple[int, ...] = ()) -> bytes:
    """As SDKs frame it: chunks of `sizes` and one of the rest."""
    out, rest = b"", body
    for size in (*sizes, len(body) - sum(sizes)):
        if size:
            out += f"{size:x}".encode() + b"\r\n" + rest[:size] + b"\r\n"
        rest = rest[size:]
    return out + b"0\r\n" + trailer + b"\r\n\r\n"


def upload(body: bytes, length: int, **more: str) -> HttpRequest:
    headers = {
        "x-amz-content-sha256": STREAMING_UNSIGNED, "content-encoding": "aws-chunked",
        "x-amz-trailer": "x-amz-checksum-crc32", "x-amz-decoded-content-length": str(length),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }  # fmt: skip
    return HttpRequest("PUT", "/keys/a", list(headers.items()), body)


def crc32(body: bytes) -> bytes:
    return b"x-amz-checksum-crc32:" + base64.b64encode(zlib.crc32(body).to_bytes(4, "big"))


@pytest.mark.parametrize("sizes", [(), (1,), (5, 5), (10,)])
def test_a_framed_body_is_unframed(sizes: tuple[int, ...]) -> None:
    """However it is cut, and also where it looks like a frame itself."""
    body = b"0\r\n\r\nabcde"
    assert body == uploaded(upload(framed(body, crc32(body), sizes=sizes), len(body)))


def test_boto3_over_tls_frames_its_body(tmp_path: Path) -> None:
    """The form that botocore of today sends: what our reading is made for, made by botocore itself."""
    seen: list[Any] = []
    client = SESSION.client(
        "s3", endpoint_url="https://s3.invalid", region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )  # fmt: skip

    def before_send(request: Any, **_: Any) -> None:
        seen.append((request, request.body.read()))
        raise InterruptedError

    client.meta.events.register("before-send.s3.PutObject", before_send)
    (tmp_path / "body").write_bytes(b"some bytes")
    with (tmp_path / "body").open("rb") as stream, pytest.raises(InterruptedError):
        client.put_object(Bucket="keys", Key="a", Body=stream)
    ((request, body),) = seen

    def text(value: Any) -> str:
        return value.decode() if isinstance(value, bytes) else str(value)

    headers = [(name.lower(), text(value)) for name, value in request.headers.items()]
    assert (STREAMING_UNSIGNED, b"some bytes") == (
        dict(headers)["x-amz-content-sha256"], uploaded(HttpRequest("PUT", "/keys/a", headers, body))
    )  # fmt: skip
