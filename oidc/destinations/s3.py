"""A bucket: S3, or what speaks like it (`--endpoint-url`).

Each write names what it replaces (`If-Match`, `If-None-Match: *`), so of two exports at once one is refused and neither
writes over what it has not seen. Credentials are found as by every AWS tool.
"""

from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from oidc.errors import ConfigError, SourceError
from oidc.export import Artifact
from oidc.jwks import BODY_LIMIT

TIMEOUT: Final = 10  # seconds, to connect and to read
ABSENT: Final = frozenset({"NoSuchKey", "404"})
OVERTAKEN: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


class Bucket:
    """A `Destination` below `s3://bucket/prefix`."""

    def __init__(self, url: str, endpoint_url: str | None = None) -> None:
        self.place = url
        self._bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self._prefix = prefix.strip("/")
        if not self._bucket:
            raise ConfigError(f"--to {url!r}: write it as s3://BUCKET[/PREFIX]")
        config = Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"total_max_attempts": 3})
        try:
            self._s3: Any = boto3.client("s3", endpoint_url=endpoint_url, config=config)
        except (BotoCoreError, ValueError) as problem:
            raise ConfigError(f"--to {url}: {problem}") from None
        self._seen: dict[str, tuple[str, Artifact] | None] = {}

    def read(self, path: str) -> bytes | None:
        """The object's content; its ETag and headers are remembered for `write`."""
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=self._key(path))
            body = bytes(found["Body"].read(BODY_LIMIT + 1))
        except ClientError as problem:
            if problem.response["Error"]["Code"] in ABSENT:
                self._seen[path] = None
                return None
            raise self._failed("GetObject", problem) from None
        except BotoCoreError as problem:
            raise self._failed("GetObject", problem) from None
        there = Artifact(path, body, found.get("ContentType", ""), found.get("CacheControl", ""))
        self._seen[path] = (found["ETag"], there)
        return body

    def write(self, artifact: Artifact) -> bool:
        """Put the object, its content type and its cache header."""
        if artifact.path not in self._seen:
            self.read(artifact.path)
        seen = self._seen.pop(artifact.path)
        if seen is not None and seen[1] == artifact:
            return False
        condition = {"IfNoneMatch": "*"} if seen is None else {"IfMatch": seen[0]}
        try:
            self._s3.put_object(
                Bucket=self._bucket, Key=self._key(artifact.path), Body=artifact.body,
                ContentType=artifact.content_type, CacheControl=artifact.cache_control, **condition,
            )  # fmt: skip
        except (ClientError, BotoCoreError) as problem:
            raise self._failed("PutObject", problem) from None
        return True

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path

    def _failed(self, action: str, problem: Exception) -> SourceError:
        code = problem.response["Error"]["Code"] if isinstance(problem, ClientError) else ""
        if code in OVERTAKEN:
            return SourceError(f"{self.place}: somebody else wrote it meanwhile; look, and export again")
        return SourceError(f"{self.place}: {action}: {problem}")
