"""What can be wrong, told apart by whose it is to mend.

`SourceError`: a source did not answer, which passes by itself. `DocumentError`: it answered with what is no discovery
document or JWKS. `RefusedError`: what it says is well formed and must not be published. `ConfigError`: what the
operator gave. Everything here is an `OIDCError`, and the last good documents stay in service whichever it is.
"""


class OIDCError(Exception):
    """Nothing new can be published."""

    kind = "error"


class SourceError(OIDCError):
    """A source could not be reached, or refused us."""

    kind = "unreachable"


class DocumentError(OIDCError):
    """A source's answer cannot be read."""

    kind = "malformed"


class RefusedError(OIDCError):
    """A gate holds back what a source says.

    Attributes:
        gate: the gate's name, as it stands in the metric.
    """

    kind = "refused"

    def __init__(self, gate: str, reason: str) -> None:
        super().__init__(reason)
        self.gate = gate


class ConfigError(OIDCError):
    """An option or a file of the operator's; the message names it, its value and what would be right."""

    kind = "config"
