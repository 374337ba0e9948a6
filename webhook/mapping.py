"""Roles out of a ConfigMap: `namespace/serviceaccount` → role, for whoever cannot annotate ServiceAccounts.

The Go webhook's format. `*` as the namespace means any; an exact entry wins over it. A field that is left out takes the
flag's value. One bad entry costs that entry and a warning, never the others; text that is no JSON object costs nothing,
since what was read before stays.
"""

from typing import Any, Final

import msgspec

from webhook.annotations import ROLE_ARN, Defaults, RoleBinding, bounded, composed

CONFIG_MAP: Final = "pod-identity-webhook"
KEY: Final = "config"
ANY: Final = "*"


class MappingError(Exception):
    """The text as a whole cannot be used; the message says what would be right."""


class Mapping(msgspec.Struct, frozen=True):
    """Namespace and name → binding, whose role may be empty."""

    entries: dict[tuple[str, str], RoleBinding] = {}
    warnings: tuple[str, ...] = ()

    def exact(self, namespace: str, name: str) -> RoleBinding | None:
        """The entry of just this ServiceAccount."""
        return self.entries.get((namespace, name))

    def find(self, namespace: str, name: str) -> RoleBinding | None:
        """The entry for a ServiceAccount: its own, or that of its name in any namespace."""
        return self.exact(namespace, name) or self.entries.get((ANY, name))


def read(text: str, defaults: Defaults) -> Mapping:
    """The mapping that `text` (JSON) describes.

    Raises:
        MappingError: it is no JSON object.
    """
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as problem:
        raise MappingError(f"ConfigMap {CONFIG_MAP}, key {KEY}: no JSON: {problem}") from problem
    if not isinstance(document, dict):
        raise MappingError(
            f'ConfigMap {CONFIG_MAP}, key {KEY}: must be an object {{"namespace/name": {{"RoleARN": …}}}}'
        )
    entries: dict[tuple[str, str], RoleBinding] = {}
    warnings: list[str] = []
    for key, value in document.items():
        namespace, slash, name = key.partition("/")
        if not (slash and namespace and name) or "/" in name:
            warnings.append(f"ConfigMap {CONFIG_MAP}: {key!r} is left out, write the key as namespace/serviceaccount")
        elif isinstance(value, dict):
            _entry(key, value, defaults, entries, warnings)
        else:
            warnings.append(f'ConfigMap {CONFIG_MAP}: {key!r} is left out, its value must be {{"RoleARN": "arn:…"}}')
    return Mapping(entries, tuple(warnings))


def _entry(
    key: str,
    value: dict[str, Any],
    defaults: Defaults,
    entries: dict[tuple[str, str], RoleBinding],
    warnings: list[str],
) -> None:
    namespace, _, name = key.partition("/")
    fields = {field.lower(): content for field, content in value.items() if content is not None}
    for field, kind in (("rolearn", str), ("audience", str), ("useregionalsts", bool), ("tokenexpiration", int)):
        if type(fields.get(field, kind())) is not kind:
            warnings.append(f"ConfigMap {CONFIG_MAP}: {key!r} is left out, its {field} must be of type {kind.__name__}")
            return
    role = composed(fields.get("rolearn", ""), defaults)
    if role and not ROLE_ARN.fullmatch(role):
        warnings.append(f"ConfigMap {CONFIG_MAP}: {key!r} has RoleARN {role!r}, which is no role ARN")
    entries[namespace, name] = RoleBinding(
        role_arn=role,
        audience=fields.get("audience") or defaults.audience,
        expiration=bounded(fields["tokenexpiration"]) if fields.get("tokenexpiration") else defaults.expiration,
        regional_sts=fields.get("useregionalsts", defaults.regional_sts),
    )
