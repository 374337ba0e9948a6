"""Switch from a user of one account to a role of another, as a person's tool does; say who one is before and after."""

import sys

import boto3
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::111122223333:role/UpdateApp"


def main() -> int:
    """Credentials and the STS are those of the environment, as for every AWS SDK."""
    sts = boto3.client("sts")
    print("before:", sts.get_caller_identity()["Arn"])
    try:
        given = sts.assume_role(RoleArn=ROLE, RoleSessionName="update")["Credentials"]
    except ClientError as refused:
        print("refused:", refused, file=sys.stderr)
        return 1
    switched = boto3.client(
        "sts",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    print("after: ", switched.get_caller_identity()["Arn"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
