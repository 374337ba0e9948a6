"""How many requests an address may make: a token bucket each, for as many addresses as fit.

Only where trusted proxies name the real client. Without them all of STS may come from one address, that of an ingress,
and a throttled STS is an outage of every pod: then nothing is throttled. A client has a /64 of IPv6, so that counts as
one.
"""

import ipaddress
import math
from collections import OrderedDict
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ADDRESSES: Final = 10_000  # remembered at once; the one unseen for longest is forgotten first


def client(peer: str, forwarded: list[str], trusted: tuple[Network, ...]) -> str | None:
    """Whose request it is: the last address in the X-Forwarded-For values that no trusted proxy added.

    None where the peer is no trusted proxy, or all of them are: then nobody is named, and nobody is throttled.
    """
    hops = [hop.strip() for value in forwarded for hop in value.split(",")] + [peer]
    if not _trusted(peer, trusted):
        return None
    for hop in reversed(hops):
        if not _trusted(hop, trusted):
            return _counted(hop)
    return None


def _trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)


def _counted(address: str) -> str | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None  # no address: a proxy's mistake, which must not make a bucket of its own for each value
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)  # noqa: PLR2004


class Throttle:
    """Buckets of `burst` requests that fill by `rate` a second."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, float(burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str, now: float) -> int:
        """Count a request; 0, or in how many whole seconds it may be made. `now` is any steady clock, in seconds."""
        left, then = self._buckets.pop(address, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._rate)
        allowed = left >= 1
        self._buckets[address] = (left - allowed, now)
        if len(self._buckets) > ADDRESSES:
            self._buckets.popitem(last=False)
        return 0 if allowed else math.ceil((1 - left) / self._rate)
