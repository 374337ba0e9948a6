"""The end of a certificate, as cryptography reads it too."""

from datetime import UTC, datetime

import pytest
import trustme
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa.runtime.validity import not_after

CA = trustme.CA()


@settings(max_examples=25, deadline=None)
@given(st.datetimes(datetime(2001, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001 -- made aware below
def test_as_cryptography_reads_it(end: datetime) -> None:
    """Before 2050 the date has two digits of its year, after it four."""
    before = datetime(2000, 1, 1, tzinfo=UTC)
    leaf = CA.issue_cert("localhost", not_before=before, not_after=end.replace(tzinfo=UTC, microsecond=0))
    chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
    assert x509.load_pem_x509_certificate(chain).not_valid_after_utc.timestamp() == not_after(chain)


@pytest.mark.parametrize("chain", [b"", b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", b"x"])
def test_what_is_no_certificate_is_refused(chain: bytes) -> None:
    """Only ValueError comes out."""
    with pytest.raises(ValueError):  # noqa: PT011 -- any message
        not_after(chain)
