"""When certificates are renewed."""

from datetime import datetime

from cryptography import x509


def due(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether two thirds of its life are over, or its beginning is still to come (somebody's clock was wrong)."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return not begin <= now <= begin + (end - begin) * 2 / 3
