"""What stands in a webhook configuration's `caBundle`, and what ought to.

What is missing is added at once; what is too much goes only after a while, since another replica may still show a
certificate that it signed, and two replicas must not write against each other. Certificates are compared by their
content, not by how the PEM is folded.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

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
    pem = b"".join(each.rstrip() + b"\n" for each in wanted)
    keys = set(parse(pem))
    prune = extra_since is not None and now - extra_since >= EXTRA
    operations, extra = [], False
    for index, there in enumerate(trusted(configuration)):
        more = bool(set(there) - keys)
        extra = extra or more
        if keys - set(there) or (more and prune):
            value = base64.b64encode(pem).decode()
            operations.append({"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": value})
    if operations:
        version = configuration["metadata"]["resourceVersion"]
        operations.insert(0, {"op": "test", "path": "/metadata/resourceVersion", "value": version})
    return operations, extra


def verifies(configuration: Mapping[str, Any], chain: bytes) -> bool:
    """Whether every webhook of the configuration trusts a served chain (PEM, leaf first)."""
    served = list(parse(chain).values())
    return bool(served) and all(
        any(_issued(certificate, authority) for certificate in served for authority in there.values())
        for there in trusted(configuration)
    )


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
