"""What stands in a webhook configuration's `caBundle`, and what ought to.

What is missing is added at once, beside what is there; what is too much goes only after a while, since another replica
may still show a certificate that it signed, and two replicas must not write against each other. Certificates are
compared by their content, not by how the PEM is folded.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

EXTRA: Final = timedelta(minutes=1)
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


class BundleError(Exception):
    """The configuration cannot be used; the message says why."""


def trusted(configuration: Mapping[str, Any]) -> list[dict[bytes, x509.Certificate]]:
    """The certificates, by their DER's fingerprint, that each webhook of a configuration trusts.

    Raises:
        BundleError: it has no webhook.
    """
    webhooks = configuration.get("webhooks") or ()
    if not webhooks:
        raise BundleError("it has no webhook")
    return [parse(base64.b64decode(each["clientConfig"].get("caBundle") or "")) for each in webhooks]


def parse(pem: bytes) -> dict[bytes, x509.Certificate]:
    """The certificates in a PEM text; what is none is left out."""
    found = {}
    for text in _PEM.findall(pem):
        try:
            certificate = x509.load_pem_x509_certificate(text)
        except ValueError:
            continue
        found[_fingerprint(certificate)] = certificate
    return found


def corrections(
    configuration: Mapping[str, Any], wanted: Sequence[bytes], now: datetime, extra_since: datetime | None
) -> tuple[list[dict[str, Any]], bool]:
    """JSON Patch operations that make every webhook trust `wanted`, and whether any trusts more than that.

    `extra_since` is when more than `wanted` was first seen; None: not before `now`.
    """
    keys = set(parse(b"".join(wanted)))
    prune = extra_since is not None and now - extra_since >= EXTRA
    operations, extra = [], False
    for index, there in enumerate(trusted(configuration)):
        more = [there[key] for key in there if key not in keys]
        extra = extra or bool(more)
        if keys - set(there) or (more and prune):
            kept = [] if prune else [each.public_bytes(serialization.Encoding.PEM) for each in more]
            pem = b"".join(each.rstrip() + b"\n" for each in (*wanted, *kept))
            value = base64.b64encode(pem).decode()
            operations.append({"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": value})
    if operations:
        version = configuration["metadata"]["resourceVersion"]
        operations.insert(0, {"op": "test", "path": "/metadata/resourceVersion", "value": version})
    return operations, extra


def objection(configuration: Mapping[str, Any], chain: bytes, now: datetime) -> str:
    """Why an API server that calls by a configuration would refuse a chain (PEM, leaf first); empty: it would not.

    As it decides itself: the leaf's names, all dates, and a chain to one of the certificates that `caBundle` trusts.
    """
    served = list(parse(chain).values())
    if not served:
        return "no certificate is served"
    leaf = served[0]
    if not _valid(leaf, now):
        return f"what we serve is valid from {leaf.not_valid_before_utc} to {leaf.not_valid_after_utc}"
    for there, webhook in zip(trusted(configuration), configuration["webhooks"], strict=True):
        name = called(webhook["clientConfig"])
        if not named(leaf, name):
            return f"what we serve is not for {name}, the name that the API server calls"
        if not _leads(served, list(there.values()), now):
            return "its caBundle does not trust what we serve"
    return ""


def called(client: Mapping[str, Any]) -> str:
    """The name that the API server expects in the certificate, by a `clientConfig`."""
    if service := client.get("service"):
        return f"{service['name']}.{service['namespace']}.svc"
    return urlsplit(client.get("url", "")).hostname or ""


def named(leaf: x509.Certificate, name: str) -> bool:
    """Whether a certificate is for a host, a DNS name or an address (RFC 6125: `*` is one whole label, the first)."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    if name in [str(each) for each in names.get_values_for_type(x509.IPAddress)]:
        return True
    own = [each.lower() for each in names.get_values_for_type(x509.DNSName)]
    _, dot, rest = name.lower().partition(".")
    return name.lower() in own or (bool(dot) and f"*.{rest}" in own)


def _leads(served: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], now: datetime) -> bool:
    leaf, *others = served
    seen: list[x509.Certificate] = []
    at = [leaf]
    while at:
        certificate = at.pop()
        seen.append(certificate)
        if any(_valid(anchor, now) and _issued(certificate, anchor) for anchor in anchors):
            return True
        at += [each for each in others if each not in seen and _valid(each, now) and _issued(certificate, each)]
    return False


def _valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    if certificate == authority:
        return True
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # noqa: BLE001 -- cryptography raises three kinds, each means: not by this one
        return False
    return True


def _fingerprint(certificate: x509.Certificate) -> bytes:
    return certificate.fingerprint(hashes.SHA256())
