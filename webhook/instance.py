"""The AWS account and region of the EC2 instance that we run on, for `--compose-role-arn` without `--account-id`."""

import os
from typing import Final

import aiohttp
import msgspec

from webhook.annotations import partition_of
from webhook.injection import Settings
from webhook.kube import ConfigError

ENDPOINT: Final = "http://169.254.169.254"
DEADLINE: Final = aiohttp.ClientTimeout(total=5)


class Instance(msgspec.Struct, frozen=True, rename="camel"):
    """What the instance says of itself."""

    account_id: str
    region: str = ""


def composing(settings: Settings, there: Instance) -> Settings:
    """Settings by which a role without `arn:` is one of the instance's account."""
    defaults = msgspec.structs.replace(
        settings.defaults, account_id=there.account_id, partition=partition_of(there.region)
    )
    return msgspec.structs.replace(settings, defaults=defaults)


async def identify() -> Instance:
    """Ask the instance metadata service (version 2).

    Raises:
        ConfigError: there is none; the operator has to name the account.
    """
    endpoint = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", ENDPOINT).rstrip("/")
    try:
        async with aiohttp.ClientSession(timeout=DEADLINE, raise_for_status=True) as session:
            lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
            async with session.put(f"{endpoint}/latest/api/token", headers=lifetime) as answer:
                token = {"X-aws-ec2-metadata-token": await answer.text()}
            async with session.get(f"{endpoint}/latest/dynamic/instance-identity/document", headers=token) as answer:
                return msgspec.json.decode(await answer.read(), type=Instance)
    except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as problem:
        raise ConfigError(
            f"--compose-role-arn needs to know the account: no EC2 metadata at {endpoint} "
            f"({str(problem) or type(problem).__name__}); give --account-id"
        ) from problem
