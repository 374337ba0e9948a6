"""TLS versions and cipher suites by Go's names for them, as `--tls-min-version` and `--tls-cipher-suites` take."""

import re
import ssl
import warnings
from typing import Final

VERSIONS: Final = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
# Those of TLS 1.3 cannot be chosen, in Go neither: naming them is allowed and without effect.
MODERN: Final = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
SUITES: Final = {
    "TLS_RSA_WITH_RC4_128_SHA": "RC4-SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA": "DES-CBC3-SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256": "AES128-SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA": "ECDHE-ECDSA-RC4-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA": "ECDHE-RSA-RC4-SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA": "ECDHE-RSA-DES-CBC3-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256": "ECDHE-ECDSA-AES128-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256": "ECDHE-RSA-AES128-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": "ECDHE-ECDSA-CHACHA20-POLY1305",
}


def version(text: str) -> ssl.TLSVersion:
    """The version that `1.2` or `VersionTLS12` names; TLS 1.2 for an empty text.

    Raises:
        ValueError: it names none.
    """
    if not text:
        return ssl.TLSVersion.TLSv1_2
    plain = re.sub(r"VersionTLS1([0-3])", r"1.\1", text)
    if plain not in VERSIONS:
        raise ValueError(f"{text!r} is no TLS version; use 1.0, 1.1, 1.2 or 1.3")
    return VERSIONS[plain]


def suites(text: str) -> tuple[str, ...]:
    """OpenSSL's names for a comma-separated list of Go's; empty: OpenSSL's own choice.

    Raises:
        ValueError: a name is not known.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in SUITES and name not in MODERN:
            raise ValueError(f"{name!r} is no cipher suite that Go knows; known are {', '.join((*MODERN, *SUITES))}")
    return tuple(SUITES[name] for name in names if name in SUITES)


def least(text: str) -> ssl.TLSVersion:
    """The version below which none of the listed suites exists: whoever names those of 1.3 alone wants no other."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    only_modern = bool(names) and all(name in MODERN for name in names)
    return ssl.TLSVersion.TLSv1_3 if only_modern else ssl.TLSVersion.TLSv1


def apply(context: ssl.SSLContext, minimum: ssl.TLSVersion, chosen: tuple[str, ...]) -> None:
    """Limit a server's context to what was chosen.

    Raises:
        ValueError: OpenSSL has none of the suites.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.0 and 1.1: the operator asked for them
        context.minimum_version = minimum
    if chosen:
        try:
            context.set_ciphers(":".join(chosen))
        except ssl.SSLError as problem:
            raise ValueError(f"OpenSSL offers none of {', '.join(chosen)}") from problem
