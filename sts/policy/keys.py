"""The condition keys that AWS has: all that begin with `aws:`, `sts:` and `s3:`; so any other of these is misspelt."""

import difflib
import re
from typing import Final

_GLOBAL_KEYS: Final = frozenset(
    f"aws:{key}".lower()
    for key in re.findall(
        r"\w+",
        """
        CalledVia CalledViaFirst CalledViaLast ChatbotSourceArn CurrentTime Ec2InstanceSourceVpc
        Ec2InstanceSourcePrivateIPv4 EpochTime FederatedProvider MultiFactorAuthAge MultiFactorAuthPresent
        PrincipalAccount PrincipalArn PrincipalIsAWSService PrincipalOrgID PrincipalOrgPaths
        PrincipalServiceName PrincipalServiceNamesList PrincipalType Referer RequestedRegion ResourceAccount
        ResourceOrgID ResourceOrgPaths SecureTransport SourceAccount SourceArn SourceIdentity SourceIp
        SourceOrgID SourceOrgPaths SourceVpc SourceVpcArn SourceVpce TagKeys TokenIssueTime UserAgent userid
        username ViaAWSService VpcSourceIp VpceAccount VpceOrgID VpceOrgPaths AssumedRoot SigninAuthContext
        IsMcpServiceAction SourceVpcAccount
        """,
    )
)
_TAG_KEYS: Final = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/")
_STS_KEYS: Final = frozenset(
    f"sts:{key}".lower()
    for key in re.findall(
        r"\w+",
        """
        AWSServiceName DurationSeconds ExternalId RequestContext RequestContextProviders RoleSessionName
        SourceIdentity TaskPolicyArn TransitiveTagKeys IdentityTokenAudience SigningAlgorithm
        RoleAuthorizedByIdp
        """,
    )
)
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
_S3_KEYS: Final = frozenset(
    f"s3:{key}".lower()
    for key in re.findall(
        r"[\w-]+",
        """
        AccessGrantsInstanceArn AccessPointNetworkOrigin authType DataAccessPointAccount
        DataAccessPointArn delimiter destinationRegion ExistingJobOperation ExistingJobPriority
        if-match if-none-match InventoryAccessibleOptionalFields isReplicationPauseRequest JobSuspendedCause
        locationconstraint max-keys object-lock-legal-hold object-lock-mode object-lock-remaining-retention-days
        object-lock-retain-until-date ObjectCreationOperation prefix RequestJobOperation RequestJobPriority
        RequestObjectTagKeys ResourceAccount signatureAge signatureversion TlsVersion VersionId
        x-amz-acl x-amz-content-sha256 x-amz-copy-source x-amz-grant-full-control x-amz-grant-read
        x-amz-grant-read-acp x-amz-grant-write x-amz-grant-write-acp x-amz-metadata-directive x-amz-object-ownership
        x-amz-server-side-encryption x-amz-server-side-encryption-aws-kms-key-id
        x-amz-server-side-encryption-customer-algorithm x-amz-storage-class x-amz-website-redirect-location
        """,
    )
)
_S3_TAG_KEYS: Final = ("s3:existingobjecttag/", "s3:requestobjecttag/", "s3:buckettag/", "s3:accesspointtag/")
# Keys whose values are of a type that string operators do not compare: what to use instead.
TYPED: Final = {
    "aws:sourceip": ("ipaddress", "IpAddress, which knows CIDR"),
    "aws:vpcsourceip": ("ipaddress", "IpAddress, which knows CIDR"),
    "aws:currenttime": ("date", "DateLessThan or DateGreaterThan"),
    "aws:tokenissuetime": ("date", "DateLessThan or DateGreaterThan"),
    "aws:multifactorauthage": ("numeric", "NumericLessThan"),
    "sts:durationseconds": ("numeric", "NumericLessThanEquals"),
}
_KNOWN: Final = _GLOBAL_KEYS | _STS_KEYS | _S3_KEYS


def unknown_key(key: str) -> bool:
    """Whether a key of `aws:`, `sts:` or `s3:`, whose keys are all known, is none of them."""
    lower = key.lower()
    known = lower in _KNOWN or lower.startswith(_TAG_KEYS + _S3_TAG_KEYS)
    return lower.startswith(("aws:", "sts:", "s3:")) and not known


def similar(key: str) -> str:
    """The key that may have been meant; empty where none is near."""
    return next(iter(difflib.get_close_matches(key.lower(), _KNOWN, 1)), "")
