"""AssumeRoleWithWebIdentity: a token of a registered issuer for credentials of a role.

Two steps, since the issuer's keys have to be fetched between them: `ask` finds out which provider's key is needed,
`assume` decides. Nothing of the token but its `iss` is used before its signature is verified. Whether the role is
missing or its trust policy says no, the client gets one and the same answer; the log has the reason.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from sts import circumstances, constraints, federation, refusals, scope, token
from sts.accounts import Accounts, Provider, Role
from sts.actions.answer import Answer, Call, assumed_role_user, issued
from sts.actions.assume_role import DEFAULT_SECONDS, NUMBERS, ROLE_ARN
from sts.circumstances import Context
from sts.jwks import Key
from sts.policy import Principal, request, trusts
from sts.wire import Parameters

ACTION: Final = "sts:AssumeRoleWithWebIdentity"
_SHAPES: Final = {
    "RoleArn": constraints.ROLE_ARN,
    "RoleSessionName": constraints.SESSION_NAME,
    "WebIdentityToken": constraints.WEB_IDENTITY_TOKEN,
    "ProviderId": constraints.PROVIDER_ID,
    "Policy": constraints.POLICY,
}
# Claims that are condition keys for an issuer of one's own; other claims are none.
_CLAIM_KEYS: Final = ("amr", "email")


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A well-formed call whose token is still to be verified with a key of `provider`."""

    role_arn: str
    session_name: str
    numbers: Mapping[str, int]
    token: token.Unverified
    provider: Provider
    scope: scope.Scope


def ask(given: Parameters, accounts: Accounts) -> Asked:
    """Read the call and find the provider that its token claims to be from.

    Raises:
        Refused: the parameters, the token's form or its issuer.
    """
    passed, problems = scope.asked({name: value for name, value in given.items() if name.startswith("Policy")})
    numbers = constraints.check(given, _SHAPES, NUMBERS, problems)
    matched = ROLE_ARN.fullmatch(given["RoleArn"])
    if not matched:
        raise refusals.invalid(f"{given['RoleArn']} is invalid")
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
    return Asked(given["RoleArn"], given["RoleSessionName"], numbers, unverified, provider, passed)


def assume(asked: Asked, keys: tuple[Key, ...], call: Call) -> Answer:
    """Decide on the call, with the provider's keys of the token's kid.

    Raises:
        Refused: the token, the role, its trust policy or the duration.
    """
    claims = token.verify(asked.token, keys, asked.provider.client_ids, call.now)
    marks = federation.marks(claims.all)
    passed, identity = asked.scope, marks.source_identity  # `ask` lets no tags into it: they are the token's alone
    if marks is not federation.NOTHING:
        passed = msgspec.structs.replace(passed, tags=marks.tags, transitive=marks.transitive)
    role = _trusting_role(asked, claims, call, passed, marks)
    seconds = asked.numbers.get("DurationSeconds", DEFAULT_SECONDS)
    if seconds > role.max_session_duration:
        raise refusals.invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    packed, percent = scope.pack(passed)
    scope.policies(passed, call.accounts, role.account)
    provider = asked.provider.arn
    session = call.session(
        account=role.account,
        principal=role.arn,
        principal_id=role.unique_id,
        name=asked.session_name,
        seconds=seconds,
        provider=provider,
        source_identity=identity,
        scope=packed,
    )
    return Answer(
        {
            "SubjectFromWebIdentityToken": claims.subject,
            "Audience": claims.audience,
            "AssumedRoleUser": assumed_role_user(role, session.name),
            **call.credentials(session, asked.numbers),
            "Provider": provider,
            "PackedPolicySize": None if percent is None else str(percent),
            "SourceIdentity": identity or None,
        },
        issued(session),
    )


def told(unverified: token.Unverified) -> dict[str, str]:
    """What a log line may say of a token, verified or not: its issuer, key and id, and whose it says it is."""
    found = {"issuer": unverified.issuer, "kid": unverified.kid[:128]}
    for name in ("sub", "jti"):
        value = unverified.payload.get(name)
        if isinstance(value, str):
            found[name] = value[:255]
    return found


def _trusting_role(
    asked: Asked, claims: token.Claims, call: Call, passed: scope.Scope, marks: federation.Marks
) -> Role:
    vouched = marks.vouch_for(asked.role_arn)
    role = call.accounts.roles.get(asked.role_arn)
    if role is None:
        raise refusals.web_identity_denied(f"no role {asked.role_arn}")
    context = {
        **call.surroundings,
        **_claimed(asked, claims),
        **circumstances.of_tags(passed.tags, passed.transitive),
        "sts:RoleAuthorizedByIdp": "true" if vouched else "false",
        "aws:ResourceAccount": role.account,
    }
    if marks.source_identity:
        context["sts:SourceIdentity"] = marks.source_identity
    principal = _principal(asked.provider.arn)
    for action in _rights(passed, marks.source_identity):
        decision = trusts(role.trust, request(action, role.arn, principal, context))
        if not decision.allowed:
            raise refusals.web_identity_denied(decision.reason, action)
    return role


_principal: Final = functools.lru_cache(maxsize=1024)(Principal.web_identity)


def _rights(passed: scope.Scope, identity: str) -> Iterator[str]:
    """The rights that the trust policy has to give."""
    yield ACTION
    if passed.tags:
        yield "sts:TagSession"
    if identity:
        yield "sts:SetSourceIdentity"


def _claimed(asked: Asked, claims: token.Claims) -> Context:
    """The condition keys that the token and the call bring; absent is what the token does not say."""
    prefix = asked.provider.url.partition("://")[2]  # the issuer as condition keys have it
    context: Context = {
        f"{prefix}:sub": claims.subject,
        f"{prefix}:aud": claims.audience,
        "sts:RoleSessionName": asked.session_name,
        "sts:DurationSeconds": str(asked.numbers.get("DurationSeconds", DEFAULT_SECONDS)),
        "aws:FederatedProvider": asked.provider.arn,
    }
    if claims.original_audience:
        context[f"{prefix}:oaud"] = claims.original_audience
    for name in _CLAIM_KEYS:
        value = claims.all.get(name)
        if isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            context[f"{prefix}:{name}"] = value
    return context
