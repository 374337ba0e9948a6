"""kopf, without the Kubernetes clients that it looks for.

It imports any that is installed, for the sake of types that we never hand to it; the official one, which `irsa keys`
uses, costs 20 MiB and half of the time that a start takes.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["kopf"]


@contextmanager
def absent(*names: str) -> Iterator[None]:
    """Let an import of these modules fail while the body runs; those that are there already stay."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: "there is none", says the import system
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with absent("kubernetes", "kubernetes_asyncio", "pykube"):
    import kopf
