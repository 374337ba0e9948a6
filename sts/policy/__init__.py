"""One evaluator for every kind of IAM policy: trust, identity, resource, session, boundary.

    trust = parse(document, Kind.TRUST, "role s3-reader: trust")
    who = Principal.web_identity("arn:aws:iam::111122223333:oidc-provider/issuer.example")
    asked = request("sts:AssumeRoleWithWebIdentity", role_arn, who, {"issuer.example:sub": "system:serviceaccount:a:b"})
    decision = trusts(trust, asked)

Pure: no clock, no look-ups; the time of day comes in as the context key `aws:CurrentTime`, as everything else does.
"""

from sts.policy.authorize import Permissions, assumes, authorize, trusts
from sts.policy.errors import PolicyError
from sts.policy.managed import managed_by_aws
from sts.policy.model import Decision, Kind, Policy, Principal, PrincipalKind, Request, request
from sts.policy.parse import parse

__all__ = [
    "Decision",
    "Kind",
    "Permissions",
    "Policy",
    "PolicyError",
    "Principal",
    "PrincipalKind",
    "Request",
    "assumes",
    "authorize",
    "managed_by_aws",
    "parse",
    "request",
    "trusts",
]
