"""AssumeRoleWithWebIdentity: a token of a registered issuer for credentials of a role.

Two steps, since the issuer's keys have to be fetched between them: `ask` finds out which provider's key is needed,
`assume` decides. Nothing of the token but its `iss` is used before its signature is verified. Whether the role is
missing or its trust policy says no, the client gets one and the same answer; the log has the reason.
"""

import re
from dataclasses import dataclass
from typing import Final

from sts import constraints, refusals, token
from sts.accounts import Accounts, Provider, Role
from sts.actions.answer import Answer, Mint, timestamp
from sts.credentials import Session
from sts.jwks import Key
from sts.policy import Principal, request, trusts
from sts.wire import Parameters

ACTION: Final = "sts:AssumeRoleWithWebIdentity"
_SHAPES: Final = {
    "RoleArn": constraints.ROLE_ARN,
    "RoleSessionName": constraints.SESSION_NAME,
    "WebIdentityToken": constraints.WEB_IDENTITY_TOKEN,
    "ProviderId": constraints.PROVIDER_ID,
}
_DURATIONS: Final = range(900, 43201)
_DEFAULT_SECONDS: Final = 3600
_ROLE_ARN: Final = re.compile(r"arn:aws[\w-]*:iam::(\d{12}):role/[\x21-\x7e]+", re.ASCII)
# Claims that are condition keys for an issuer of one's own; other claims are none.
_CLAIM_KEYS: Final = ("amr", "email")


@dataclass(frozen=True, slots=True)
class Asked:
    """A well-formed call whose token is still to be verified with a key of `provider`."""

    role_arn: str
    session_name: str
    duration: int | None
    token: token.Unverified
    provider: Provider


def ask(given: Parameters, accounts: Accounts) -> Asked:
    """Read the call and find the provider that its token claims to be from.

    Raises:
        Refused: the parameters, the token's form or its issuer.
    """
    duration = constraints.check(given, _SHAPES, _DURATIONS)
    role_arn = given["RoleArn"]
    matched = _ROLE_ARN.fullmatch(role_arn)
    if not matched:
        raise refusals.invalid(f"{role_arn} is invalid")
    if "ProviderId" in given:
        raise refusals.Refused(
            "AccessDenied",
            403,
            "Unrecognized OAuth provider. Do not include a provider parameter when submitting OpenIDConnect ID tokens",
        )
    unverified = token.parse(given["WebIdentityToken"])
    provider = accounts.providers.get((matched[1], unverified.issuer))
    if provider is None:
        issuer = unverified.issuer if "://" in unverified.issuer else f"https://{unverified.issuer}"
        raise refusals.invalid_token(
            f"No OpenIDConnect provider found in your account for {issuer}",
            f"account {matched[1]} has no provider {issuer}",
        )
    return Asked(role_arn, given["RoleSessionName"], duration, unverified, provider)


def assume(asked: Asked, keys: tuple[Key, ...], accounts: Accounts, mint: Mint) -> Answer:
    """Decide on the call, with the provider's keys of the token's kid.

    Raises:
        Refused: the token, the role, its trust policy or the duration.
    """
    claims = token.verify(asked.token, keys, asked.provider.client_ids, mint.now)
    role = _trusting_role(asked, claims, accounts, mint.now)
    duration = asked.duration or _DEFAULT_SECONDS
    if duration > role.max_session_duration:
        raise refusals.invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    access_key_id, secret = mint.pair(role.account)
    session = Session(
        access_key_id=access_key_id,
        secret=secret,
        account=role.account,
        principal=role.arn,
        principal_id=role.unique_id,
        name=asked.session_name,
        issued=int(mint.now),
        expires=int(mint.now) + duration,
        provider=asked.provider.arn,
    )
    return Answer(
        {
            "SubjectFromWebIdentityToken": claims.subject,
            "Audience": claims.audience,
            "AssumedRoleUser": {
                "AssumedRoleId": f"{role.unique_id}:{session.name}",
                "Arn": role.session_arn(session.name),
            },
            "Credentials": mint.credentials(session),
            "Provider": asked.provider.arn,
        },
        {"access_key_id": access_key_id, "expires": timestamp(session.expires)},
    )


def told(unverified: token.Unverified) -> dict[str, str]:
    """What a log line may say of a token, verified or not: whose it says it is, and its id."""
    named = ((name, unverified.payload.get(name)) for name in ("sub", "jti"))
    return {name: value[:255] for name, value in named if isinstance(value, str)}


def _trusting_role(asked: Asked, claims: token.Claims, accounts: Accounts, now: float) -> Role:
    role = accounts.roles.get(asked.role_arn)
    if role is None:
        raise refusals.web_identity_denied(f"no role {asked.role_arn}")
    decision = trusts(
        role.trust, request(ACTION, role.arn, Principal.web_identity(asked.provider.arn), _context(asked, claims, now))
    )
    if not decision.allowed:
        raise refusals.web_identity_denied(decision.reason)
    return role


def _context(asked: Asked, claims: token.Claims, now: float) -> dict[str, str | list[str]]:
    """The condition keys of the call; absent is what the token does not say."""
    prefix = asked.provider.key_prefix
    context: dict[str, str | list[str]] = {
        f"{prefix}:sub": claims.subject,
        f"{prefix}:aud": claims.audience,
        "sts:RoleSessionName": asked.session_name,
        "sts:DurationSeconds": str(asked.duration or _DEFAULT_SECONDS),
        "aws:FederatedProvider": asked.provider.arn,
        "aws:CurrentTime": timestamp(now),
        "aws:EpochTime": str(int(now)),
    }
    if claims.original_audience:
        context[f"{prefix}:oaud"] = claims.original_audience
    for name in _CLAIM_KEYS:
        value = claims.all.get(name)
        if isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            context[f"{prefix}:{name}"] = value
    return context
