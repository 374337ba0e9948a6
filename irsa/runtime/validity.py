"""When a certificate ends, read straight from its DER (RFC 5280 section 4.1).

`cryptography` would tell, at 8 MiB of resident memory in servers that need nothing else of it. This reads only what
OpenSSL has just accepted as a certificate, and is compared with `cryptography` in the tests.
"""

import ssl
from datetime import UTC, datetime
from typing import Final

VERSION: Final = 0xA0
UTC_TIME: Final = 0x17


def not_after(chain: bytes) -> float:
    """The end of the first certificate of a PEM chain, in seconds since the epoch.

    Raises:
        ValueError: it is no certificate.
    """
    first, end, _ = chain.partition(ssl.PEM_FOOTER.encode())
    der = ssl.PEM_cert_to_DER_cert((first[max(first.find(ssl.PEM_HEADER.encode()), 0) :] + end).decode("ascii"))
    try:
        fields = _children(_children(_element(der, 0)[1])[0][1])
        validity = fields[4 if fields[0][0] == VERSION else 3]  # [version], serial, algorithm, issuer, validity
        tag, text = _children(validity[1])[1]
    except IndexError:
        raise ValueError("no certificate") from None
    year = text[:2] if tag == UTC_TIME else text[:4]
    century = b"" if tag != UTC_TIME else b"20" if int(year) < 50 else b"19"  # noqa: PLR2004 -- RFC 5280 4.1.2.5.1
    return datetime.strptime((century + text).decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _children(content: bytes) -> list[tuple[int, bytes]]:
    children, offset = [], 0
    while offset < len(content):
        tag, inner, offset = _element(content, offset)
        children.append((tag, inner))
    return children


def _element(data: bytes, offset: int) -> tuple[int, bytes, int]:
    tag, length, start = data[offset], data[offset + 1], offset + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(data[start : start + size], "big"), start + size
    return tag, data[start : start + length], start + length
