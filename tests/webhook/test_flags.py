"""The Go webhook's command line: every flag by name, its default, and what it comes to here."""

import os
import re
import ssl
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from irsa.cli.webhook import command
from webhook.kube import ConfigError
from webhook.options import config
from webhook.serve import Config

# Flag, another value than its default, where it stands in the Config, the default's meaning, the value's.
FLAGS: dict[str, tuple[str, str, Any, Any]] = {
    "port": ("8443", "port", 443, 8443),
    "metrics-port": ("9000", "metrics_port", 9999, 9000),
    "in-cluster": ("false", "files", None, (Path("/etc/webhook/certs/tls.crt"), Path("/etc/webhook/certs/tls.key"))),
    "namespace": ("team", "namespace", "eks", "team"),
    "annotation-prefix": ("example.com", "settings.defaults.prefix", "eks.amazonaws.com", "example.com"),
    "token-audience": ("aud", "settings.defaults.audience", "sts.amazonaws.com", "aud"),
    "token-expiration": ("3600", "settings.defaults.expiration", 86400, 3600),
    "token-mount-path": ("/m", "settings.mount_path", "/var/run/secrets/eks.amazonaws.com/serviceaccount", "/m"),
    "aws-default-region": ("eu-west-1", "settings.region", "", "eu-west-1"),
    "sts-regional-endpoint": ("T", "settings.defaults.regional_sts", False, True),
    "watch-config-map": ("1", "config_map", False, True),
    "compose-role-arn": ("true", "compose", False, True),
    "watch-container-credentials-config": ("/tmp/x", "identities", None, Path("/tmp/x")),
    "container-credentials-audience": (
        "aud", "settings.container_credentials.audience", "pods.eks.amazonaws.com", "aud",
    ),
    "container-credentials-token-mount-path": (
        "/m", "settings.container_credentials.mount_path", "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount",
        "/m",
    ),
    "container-credentials-token-volume-name": (
        "v", "settings.container_credentials.volume", "eks-pod-identity-token", "v",
    ),
    "container-credentials-token-path": (
        "f", "settings.container_credentials.token_file", "eks-pod-identity-token", "f",
    ),
    "container-credentials-full-uri": (
        "http://[fd00:ec2::23]/v1/credentials", "settings.container_credentials.full_uri",
        "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/v1/credentials",
    ),
    "service-account-lookup-grace-period": ("100ms", "grace", 0.0, 0.1),
    "tls-min-version": ("VersionTLS13", "tls_minimum", ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3),
    "tls-cipher-suites": (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, ", "tls_ciphers", (), ("ECDHE-RSA-AES128-GCM-SHA256",),
    ),
}  # fmt: skip
# Taken, and without effect on the Config.
IDLE = {
    "resync-period": "60s",
    "tls-secret": "x",
    "service-name": "x",
    "v": "5",
    "logtostderr": "true",
    "alsologtostderr": "false",
    "alsologtostderrthreshold": "2",
    "legacy_stderr_threshold_behavior": "true",
    "stderrthreshold": "2",
    "vmodule": "a=1",
    "log_file": "x",
    "log_dir": "x",
    "log_file_max_size": "1800",
    "log_backtrace_at": ":0",
    "add_dir_header": "false",
    "skip_headers": "false",
    "skip_log_headers": "false",
    "one_output": "false",
}
# Where the API server is, the files with --in-cluster=false, what is refused, and what prints and ends: shown below.
OTHERS = {"kubeconfig", "kube-api", "tls-cert", "tls-key", "enable-debugging-handlers", "version", "help"}


def made(*flags: str) -> Config:
    return config(command.make_context("webhook", ["--kube-api=http://127.0.0.1:1", *flags]).params)


def at(found: object, path: str) -> Any:
    for name in path.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_has_the_go_webhooks_default_and_its_meaning(flag: str) -> None:
    """Written with `=` and with a space, as pflag takes both."""
    value, path, default, meant = FLAGS[flag]
    assert default == at(made(), path)
    assert meant == at(made(f"--{flag}={value}"), path)
    assert at(made(f"--{flag}={value}"), path) == at(made(f"--{flag}", value), path)


@pytest.mark.parametrize("flag", IDLE)
def test_a_flag_that_means_nothing_here_is_taken(flag: str) -> None:
    """So that a Deployment made for the Go webhook starts."""
    assert made().settings == made(f"--{flag}={IDLE[flag]}").settings


@pytest.mark.parametrize("flag", ["watch-config-map", "sts-regional-endpoint", "compose-role-arn", "logtostderr"])
def test_a_boolean_alone_is_true(flag: str) -> None:
    """Also before another flag."""
    assert 8443 == made(f"--{flag}", "--port=8443").port
    if flag in FLAGS:
        assert at(made(f"--{flag}", "--port=8443"), FLAGS[flag][1]) is True


def test_an_expiration_below_the_minimum_is_raised() -> None:
    """As with the Go webhook; one above what the API server takes is lowered, unlike there."""
    assert [600, 1 << 32] == [made(f"--token-expiration={n}").settings.defaults.expiration for n in (60, 1 << 40)]


@pytest.mark.parametrize(
    "suites, minimum",
    [
        ("TLS_AES_128_GCM_SHA256", ssl.TLSVersion.TLSv1_3),
        ("TLS_AES_128_GCM_SHA256,TLS_CHACHA20_POLY1305_SHA256", ssl.TLSVersion.TLSv1_3),
        ("TLS_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", ssl.TLSVersion.TLSv1_2),
        ("", ssl.TLSVersion.TLSv1_2),
    ],
)
def test_suites_of_tls_1_3_alone_leave_no_other_version(suites: str, minimum: ssl.TLSVersion) -> None:
    """As in Go, where TLS 1.2 has no suite then; OpenSSL would offer its own choice."""
    assert minimum is made(f"--tls-cipher-suites={suites}").tls_minimum


@pytest.mark.parametrize(
    "flag, cure",
    [
        ("--enable-debugging-handlers", "there are none"),
        ("--tls-min-version=2.0", "--tls-min-version"),
        ("--tls-cipher-suites=NULL", "--tls-cipher-suites"),
        ("--watch-container-credentials-config=relative", "must be absolute"),
        ("--kubeconfig=/nowhere", "kubeconfig"),
    ],
)
def test_what_cannot_be_is_refused_at_start(flag: str, cure: str) -> None:
    """With the flag's name and what would be right."""
    with pytest.raises(ConfigError, match=re.escape(cure)):
        made(flag)


@pytest.mark.parametrize("flag", ["--no-such-flag", "--port=70000", "--in-cluster=yes", "--resync-period=soon"])
def test_an_unknown_flag_or_value_ends_with_exit_code_2(flag: str) -> None:
    """As with the Go webhook."""
    assert 2 == CliRunner().invoke(command, [flag]).exit_code


def test_the_version_is_ours() -> None:
    """The Go webhook prints v0.1.0, whatever it is."""
    result = CliRunner().invoke(command, ["--version"])
    assert 0 == result.exit_code
    assert "irsa webhook" in result.output


def test_every_flag_has_its_place_in_this_file() -> None:
    """Those of the Go webhook v0.6.17; each is an option of ours."""
    ours = {name.lstrip("-") for option in command.params if isinstance(option, click.Option) for name in option.opts}
    assert set() == (FLAGS.keys() | IDLE.keys() | OTHERS) - ours - {"help"}


@pytest.mark.peer
def test_every_flag_of_the_peer_is_known() -> None:
    """By what its own help says."""
    help_text = subprocess.run([*os.environ["PEER"].split(), "--help"], capture_output=True, text=True, check=False)
    theirs = set(re.findall(r"^ +(?:-\w, )?--([\w-]+)", help_text.stdout + help_text.stderr, re.MULTILINE))
    assert len(theirs) > 30
    assert set() == theirs - FLAGS.keys() - IDLE.keys() - OTHERS
