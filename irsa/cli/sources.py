"""Options that say where keys come from and how long they live: `irsa oidc`, `irsa oidc export`, `irsa keys run`."""

import os
import re
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click

from irsa.cli.options import GO_DURATION
from oidc.lifecycle import Timing
from oidc.sources import Source

Command = TypeVar("Command", bound=Callable[..., Any])

FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
PATH: Final = click.Path(path_type=Path)
CLUSTER: Final = re.compile(r"([a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?)=(.+)")  # a name that is safe in a path

SOURCES: Final = [
    click.option(
        "--kubeconfig", type=FILE, multiple=True, help="Ask the API server of its current context; repeatable."
    ),
    click.option(
        "--kube-api", metavar="URL", multiple=True, help="Ask this API server; repeatable, for each of several."
    ),
    click.option("--kube-ca-file", type=PATH, help="PEM file to verify --kube-api with.  [default: the system's]"),
    click.option("--kube-token-file", type=PATH, help="Bearer token for --kube-api, read again at every look."),
    click.option("--key-file", type=PATH, multiple=True, help="PEM file, or folder of such, of --issuer; repeatable."),
    click.option("--source-issuer", metavar="URL", help="Take over what the issuer at this URL publishes."),
    click.option(
        "--source-ca-file", type=PATH, help="PEM file to verify --source-issuer with.  [default: the system's]"
    ),
    click.option("--issuer", metavar="URL", help="The issuer that the source must have.  [default: what it says]"),
]
TIMES: Final = [
    click.option("--poll", type=GO_DURATION, default="10s", help="Time between two looks at a source."),
    click.option("--max-age", type=GO_DURATION, default="1h", help="How long a cache may keep the documents."),
    click.option("--max-token-lifetime", type=GO_DURATION, default="24h", help="The longest life of a token."),
    click.option("--clock-skew", type=GO_DURATION, default="10m", help="How far clocks may differ."),
    click.option("--retain", type=GO_DURATION, help="How long to publish a vanished key.  [default: sum of the three]"),
]


cluster_option: Final = click.option(
    "--cluster", "clusters", multiple=True, metavar="NAME=SOURCE",
    help="Below /NAME/, what SOURCE has: a kubeconfig, or an issuer's URL; repeatable.",
)  # fmt: skip

pending_option: Final = click.option(
    "--pending-max-age", type=GO_DURATION, default="1m", help="--max-age while a rotation is pending."
)
shared_option: Final = click.option(
    "--shared-issuer", is_flag=True, help="Let clusters share an issuer; they then share every `sub`, too."
)


def together(options: list[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """A decorator that adds `options` in their order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def public_url(url: str | None) -> str | None:
    """The URL, if it is one that relying parties take."""
    if url and (urlsplit(url).scheme != "https" or not urlsplit(url).hostname):
        raise click.UsageError(f"--public-url {url!r}: write it as https://HOST[/PATH]; relying parties take no other")
    return url or None


def timing(given: dict[str, Any]) -> Timing:
    """How long keys live."""
    retain = None if given["retain"] is None else ceil(given["retain"])
    lead = None if given.get("lead") is None else ceil(given["lead"])
    return Timing(ceil(given["max_token_lifetime"]), ceil(given["clock_skew"]), int(given["max_age"]), retain, lead)


def sources(given: dict[str, Any]) -> dict[str, Source]:
    """A source for each path: one at the root, or one a cluster."""
    if not given["clusters"]:
        return {"": source(given)}
    if named := [
        option for option in ("kubeconfig", "kube_api", "key_file", "source_issuer", "issuer") if given[option]
    ]:
        raise click.UsageError(f"--cluster and --{named[0].replace('_', '-')} do not go together")
    found = {}
    for text in given["clusters"]:
        match = CLUSTER.fullmatch(text)
        if not match or match[1] in found:
            raise click.UsageError(f"--cluster {text!r}: write NAME=SOURCE, each name once, of a-z, 0-9, '-' and '.'")
        found[match[1]] = _issuer(match[3], given) if match[3].startswith("https://") else _kubeconfig(Path(match[3]))
    return found


def source(given: dict[str, Any]) -> Source:
    """The one source that the options name; without any it is the cluster that we run in."""
    from oidc.sources.apiserver import APIServer, Endpoint, in_cluster
    from oidc.sources.several import Several

    kinds = [kind for kind in ("kubeconfig", "kube_api", "key_file", "source_issuer") if given[kind]]
    if len(kinds) > 1:
        names = " and ".join(f"--{kind.replace('_', '-')}" for kind in kinds)
        raise click.UsageError(f"{names} do not go together; one kind of source, please")
    if given["key_file"]:
        return _files(given)
    if given["source_issuer"]:
        return _issuer(given["source_issuer"], given)
    ca, token = given["kube_ca_file"], given["kube_token_file"]
    servers: list[Source] = [_kubeconfig(path) for path in given["kubeconfig"]]
    servers += [APIServer(Endpoint(url, ca=ca, token=token)) for url in given["kube_api"]]
    if not servers:
        return APIServer(in_cluster(os.environ))
    return servers[0] if len(servers) == 1 else Several(tuple(servers), shared=bool(given.get("shared_issuer")))


def _files(given: dict[str, Any]) -> Source:
    from oidc.discovery import check_issuer
    from oidc.errors import DocumentError
    from oidc.sources.files import KeyFiles

    if not given["issuer"]:
        raise click.UsageError("--key-file needs --issuer: the files do not say whose keys they hold")
    try:
        check_issuer(given["issuer"], "--issuer")
    except DocumentError as problem:
        raise click.UsageError(str(problem)) from None
    return KeyFiles(given["key_file"], given["issuer"])


def _issuer(url: str, given: dict[str, Any]) -> Source:
    from oidc.discovery import check_issuer
    from oidc.errors import DocumentError
    from oidc.sources.issuer import Issuer

    try:
        check_issuer(url, "--source-issuer")
    except DocumentError as problem:
        raise click.UsageError(str(problem)) from None
    return Issuer(url, given["source_ca_file"])


def _kubeconfig(path: Path) -> Source:
    from oidc.sources.apiserver import APIServer
    from oidc.sources.kubeconfig import endpoint_of  # PyYAML, for those who need it

    return APIServer(endpoint_of(path))
