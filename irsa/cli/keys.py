"""`irsa keys`: the key ledger, for people and as a process.

Each command reads ConfigMap `irsa-keys`, asks the core what may be done, and writes over what it read. What is refused
ends with exit code 1, says why, and where only time is missing, for how long to wait. What could not be tried at all
ends with 2.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any, Final, NoReturn

import click
import msgspec

from irsa.cli.options import GO_DURATION, PORT, SETTINGS
from irsa.cli.sources import PATH, SOURCES, TIMES, cluster_option, shared_option, sources, timing, together
from irsa.runtime import logs, process
from oidc import commands
from oidc.commands import UnsafeError
from oidc.errors import ConfigError, OIDCError, RefusedError
from oidc.jwk import JWK
from oidc.ledger.keeper import KeeperSettings, stamp
from oidc.ledger.serve import serve
from oidc.ledger.store import ConflictError, Store, Stored, connect, own_namespace
from oidc.lifecycle import Entry, Ledger, State, Timing
from oidc.record import Record

ATTEMPTS: Final = 5  # at a write that somebody else's comes before
WHERE: Final = [
    click.option("--kubeconfig", type=PATH, help="Where the ledger is.  [default: this pod's cluster, or the user's]"),
    click.option("--namespace", "-n", help="Its namespace.  [default: this pod's, or irsa-system]"),
    click.option("--issuer", metavar="URL", help="Whose keys, where the ledger has several issuers."),
    click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", help="For people or programs."),
]


@click.group("keys", context_settings=SETTINGS)
def command() -> None:
    """Show and change which signing keys are published, and keep their ledger.

    A rotation is: stage the next key's public half, wait, let the API server sign with it and verify both, wait until
    the last token of the old one is over, take the old one out of the API server's key files.
    """


@command.command("list", context_settings=SETTINGS)
@together(WHERE)
def list_keys(**given: Any) -> None:  # noqa: ANN401 -- click has checked each by its type
    """Show each key, its state, and what may be done with it when."""
    stored = _read(_store(given), given)
    rows = [_row(entry, stored.record.timing) for entry in _ledger(stored.record, given).entries.values()]
    if given["output"] == "json":
        click.echo(json.dumps(rows, indent=1))
        return
    click.echo(f"{'KID':<44}{'ALG':<7}{'STATE':<10}{'SINCE':<22}NOTE")
    for row in rows:
        click.echo(f"{row['kid']:<44}{row['alg']:<7}{row['state']:<10}{row['since']:<22}{row['note']}")


@command.command("stage", context_settings=SETTINGS)
@click.argument("pem", type=click.File("rb"))
@together(WHERE)
def stage(pem: Any, **given: Any) -> None:  # noqa: ANN401 -- click has checked each by its type
    """Publish the public key in file PEM ("-": standard input) ahead of its first signature."""
    key = _public_key(pem.read(1 << 20), pem.name, given)
    _change(given, lambda ledger, now, _: commands.stage(ledger, key, now), key.kid)


@command.command("retire", context_settings=SETTINGS)
@click.argument("kid")
@together(WHERE)
def retire(kid: str, **given: Any) -> None:  # noqa: ANN401 -- click has checked each by its type
    """Take key KID back once the last token that it can have signed is over; refused before."""
    _change(given, lambda ledger, now, times: commands.retire(ledger, kid, now, times), kid)


@command.command("drop", context_settings=SETTINGS)
@click.argument("kid")
@click.option("--force", is_flag=True, help="Also a key that may be signing now: its tokens are refused from then on.")
@together(WHERE)
def drop(kid: str, *, force: bool, **given: Any) -> None:  # noqa: ANN401 -- click has checked each by its type
    """Take leaked key KID back at once, for ever; tokens that it signed are refused as soon as caches let go."""
    _change(given, lambda ledger, now, _: commands.drop(ledger, kid, now, force=force), kid)


@command.command("run", context_settings=SETTINGS)
@together(SOURCES)
@cluster_option
@shared_option
@together(TIMES)
@click.option(
    "--lead", type=GO_DURATION, help="How long a key is published before it signs.  [default: --max-age + 2m]"
)
@click.option("--ledger-kubeconfig", type=PATH, help="Where to write.  [default: this pod's cluster, or the user's]")
@click.option("--namespace", "-n", help="The ledger's namespace.  [default: this pod's, or irsa-system]")
@click.option("--owner-deployment", default="", help="Deployment that owns what is made here; empty means none.")
@click.option("--metrics-port", type=PORT, default=9999, help="Port of /metrics, /livez and /readyz, plain HTTP.")
@click.option("--host", default="", help="Address to listen on; empty means all.")
@click.option("--lame-duck", type=GO_DURATION, default="5s", help="How long to go on serving after SIGTERM.")
@click.option("--log-level", type=click.Choice(list(logs.LEVELS)), default="info", help="Least level that is logged.")
def run(**given: Any) -> None:  # noqa: ANN401 -- click has checked each by its type
    """Keep the ledger: look at the sources, and write down what becomes of each key.

    Sources are those of `irsa oidc`; without one it is the cluster that this runs in.
    """
    logs.configure(given["log_level"])
    settings = KeeperSettings(
        namespace=given["namespace"] or own_namespace(),
        metrics_port=given["metrics_port"],
        host=given["host"] or None,
        poll=given["poll"],
        lame_duck=given["lame_duck"],
        owner_deployment=given["owner_deployment"],
        issuer=given["issuer"],
        shared_issuer=given["shared_issuer"],
    )
    try:
        api = connect(given["ledger_kubeconfig"])
        process.run(serve(settings, timing(given), sources(given), api))
    except (ConfigError, OSError) as problem:
        raise click.ClickException(str(problem)) from problem


def _row(entry: Entry, times: Timing) -> dict[str, object]:
    return {
        "kid": entry.key.kid,
        "alg": entry.key.alg,
        "state": str(entry.state),
        "since": stamp(entry.since),
        "firstSeen": stamp(entry.first_seen),
        "lastSeen": stamp(entry.last_seen) if entry.last_seen else None,
        "signsFrom": stamp(commands.signs_from(entry, times)) if entry.state is State.NEXT else None,
        "until": stamp(entry.until) if entry.until else None,
        "note": _note(entry, times),
    }


def _note(entry: Entry, times: Timing) -> str:
    match entry.state:
        case State.NEXT:
            return f"may sign from {stamp(commands.signs_from(entry, times))}, when every cache has it"
        case State.RETIRING if entry.until is not None:
            return f"published until {stamp(entry.until)}"
        case State.RETIRING:
            return f"an API server has it; may be removed there from {stamp(entry.since + times.retention)}"
        case State.GONE:
            return entry.withdrawn
        case _:
            return "may be signing"


def _change(given: dict[str, Any], step: Callable[[Ledger, float, Timing], Ledger], kid: str) -> None:
    store = _store(given)
    for _ in range(ATTEMPTS):
        stored = _read(store, given)
        before, times = _ledger(stored.record, given), stored.record.timing
        try:
            after = step(before, time.time(), times)
            issuers = {**stored.record.issuers, after.issuer: after}
            store.write(msgspec.structs.replace(stored.record, issuers=issuers), stored.version)
        except ConflictError:
            continue
        except OIDCError as problem:
            _refuse(problem, given)
        row = _row(after.entries[kid], times)
        click.echo(
            json.dumps(row, indent=1) if given["output"] == "json" else f"{kid} is {row['state']}: {row['note']}"
        )
        return
    _fail(f"{store.place}: changed {ATTEMPTS} times while this tried to write; try again", given)


def _store(given: dict[str, Any]) -> Store:
    try:
        return Store(connect(given["kubeconfig"]), given["namespace"] or own_namespace())
    except ConfigError as problem:
        _fail(str(problem), given)


def _read(store: Store, given: dict[str, Any]) -> Stored:
    try:
        stored = store.read()
    except OIDCError as problem:
        _fail(f"{store.place}: {problem}", given)
    if stored.version is None:
        _fail(f"{store.place} is not there: nobody keeps a ledger; install the chart with keys.enabled=true", given)
    _ledger(stored.record, given)
    return stored


def _ledger(record: Record, given: dict[str, Any]) -> Ledger:
    issuers, wanted = record.issuers, given["issuer"]
    if wanted is None and len(issuers) == 1:
        return next(iter(issuers.values()))
    if wanted not in issuers:
        known = ", ".join(sorted(issuers)) or "none yet; a keeper writes the first at its first look"
        _fail(f"name one of the ledger's issuers with --issuer: {known}", given)
    return issuers[wanted]


def _public_key(pem: bytes, place: str, given: dict[str, Any]) -> JWK:
    from oidc import spki

    try:
        keys, left = spki.parse(pem, place)
    except OIDCError as problem:
        _refuse(problem, given)
    if left or len(keys) != 1:
        reason = left[0].reason if left else f"{len(keys)} keys in it; one at a time"
        _fail(f"{place}: {reason}", given)
    return keys[0]


def _fail(problem: str, given: dict[str, Any]) -> NoReturn:
    """It could not be tried; another exit code than a refusal's, so that a program knows whether to wait or to mend."""
    if given["output"] == "json":
        click.echo(json.dumps({"error": problem}))
    else:
        click.echo(f"Error: {problem}", err=True)
    sys.exit(2)


def _refuse(problem: OIDCError, given: dict[str, Any]) -> NoReturn:
    if not isinstance(problem, UnsafeError | RefusedError):
        _fail(str(problem), given)
    wait = problem.wait if isinstance(problem, UnsafeError) else None
    if given["output"] == "json":
        click.echo(json.dumps({"refused": str(problem), "waitSeconds": wait}))
    else:
        hint = f"; wait {_duration(wait)}, until {stamp(time.time() + wait)}" if wait is not None else ""
        click.echo(f"refused: {problem}{hint}", err=True)
    sys.exit(1)


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    parts = ((hours, "h"), (rest // 60, "m"), (rest % 60, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count)
