"""What the command line refuses, and that it says what would be right."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from irsa.cli import main


@pytest.mark.parametrize(
    "arguments, said",
    [
        pytest.param(["oidc"], "give --kube-api or --kubeconfig", id="no pod and no source"),
        pytest.param(["oidc", "--key-file=x.pub"], "--key-file needs --issuer", id="files without an issuer"),
        pytest.param(["oidc", "--key-file=x", "--issuer=http://x"], "it must be https://", id="plain issuer"),
        pytest.param(["oidc", "--kube-api=https://x", "--key-file=x"], "do not go together", id="two kinds of sources"),
        pytest.param(["oidc", "--cluster=a=x", "--kube-api=https://x"], "do not go together", id="clusters and one"),
        pytest.param(["oidc", "--cluster=A/b=x"], "write NAME=SOURCE", id="a cluster's name that is no path"),
        pytest.param(["oidc", "--cluster=a"], "write NAME=SOURCE", id="a cluster without a source"),
        pytest.param(["oidc", "--cluster=a=https://x", "--cluster=a=https://y"], "each name once", id="twice"),
        pytest.param(["oidc", "--kube-api=https://x", "--tls-cert=x"], "go together", id="a certificate without a key"),
        pytest.param(
            ["oidc", "--kube-api=https://x", "--tls-cert=/no/c", "--tls-key=/no/k"],
            "give a PEM pair",
            id="no such pair",
        ),
        pytest.param(["oidc", "--kube-api=https://x", "--public-url=http://x"], "https://HOST[/PATH]", id="public URL"),
        pytest.param(["oidc", "--kube-api=https://x", "--trusted-proxy=10.0.0.1/8"], "10.0.0.0/8", id="no network"),
        pytest.param(["oidc", "--kube-api=https://x", "--poll=often"], "write it as 90s", id="no duration"),
        pytest.param(["oidc", "--kube-api=http://x"], "write it as https://", id="keys over plain HTTP"),
        pytest.param(["oidc", "--kube-api=x:6443"], "write it as https://", id="no URL"),
        pytest.param(["oidc", "--source-issuer=http://x"], "https://", id="another issuer over plain HTTP"),
        pytest.param(["oidc", "export"], "--to, --check, or both", id="an export to nowhere"),
        pytest.param(["oidc", "export", "--to=x"], "give --kube-api or --kubeconfig", id="an export of nothing"),
        pytest.param(
            ["oidc", "export", "--to=s3://", "--kube-api=http://x"], "write it as https://", id="and so there"
        ),
        pytest.param(["keys", "run", "--ledger-kubeconfig=/no"], "kubeconfig /no", id="no cluster to write to"),
        pytest.param(["keys", "list", "--kubeconfig=/no"], "kubeconfig /no", id="no cluster to read from"),
    ],
)
def test_what_cannot_be_done_is_refused_at_the_start(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one line that names the option; never by a trace."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    done = CliRunner().invoke(main, arguments)
    assert 0 != done.exit_code
    assert said in " ".join(done.output.split())
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_the_reference_has_every_option() -> None:
    """Of the server, of the export and of the keeper."""
    from irsa.cli.export import command as export
    from irsa.cli.keys import run
    from irsa.cli.oidc import command as oidc

    page = (Path(__file__).parents[2] / "docs/oidc.md").read_text()
    names = {name for each in (oidc, export, run) for option in each.params for name in option.opts if name[:2] == "--"}
    assert [] == sorted(name for name in names - {"--help"} if f"`{name}" not in page and f" {name}" not in page)
