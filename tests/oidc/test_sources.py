"""Each kind of source: what it reads, what it refuses, and that keys are named as kube-apiserver names them."""

import base64
import json
import os
import subprocess
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from oidc import discovery
from oidc.errors import ConfigError, DocumentError, OIDCError, RefusedError, SourceError
from oidc.jwk import from_members
from oidc.jwks import Left
from oidc.signer import kid_of
from oidc.sources import Observation
from oidc.sources.apiserver import APIServer, Endpoint, in_cluster
from oidc.sources.files import KeyFiles
from oidc.sources.issuer import Issuer
from oidc.sources.kubeconfig import endpoint_of
from oidc.sources.several import Several
from tests.oidc.keys import jwk, private, public_pem
from tests.oidc.upstream import ISSUER, running

Public = serialization.PublicFormat
PEM = serialization.Encoding.PEM


def kid_by_openssl(pem: bytes) -> str:
    """As the issue of a kid is described for kube-apiserver, by another program."""
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem, capture_output=True, check=True)
    digest = subprocess.run(
        ["openssl", "dgst", "-sha256", "-binary"], input=der.stdout, capture_output=True, check=True
    )
    return base64.urlsafe_b64encode(digest.stdout).rstrip(b"=").decode()


# --- files


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384", "ES512"])
async def test_a_public_key_file_gives_the_key_that_pyjwt_writes(algorithm: str, tmp_path: Path) -> None:
    """Members by PyJWT, the kid by openssl."""
    (tmp_path / "sa.pub").write_bytes(public_pem("f", algorithm))
    seen = await KeyFiles((tmp_path / "sa.pub",), ISSUER).observe()
    expected = jwk("f", algorithm, kid=kid_by_openssl(public_pem("f", algorithm)))
    assert (ISSUER, (from_members(expected),)) == (seen.issuer, seen.keys)


async def test_files_are_read_as_kube_apiserver_reads_them(tmp_path: Path) -> None:
    """Several blocks in a file, PKCS#1 public keys, certificates, and what is none of these is passed over."""
    pkcs1 = private("g", "RS256").public_key().public_bytes(PEM, Public.PKCS1)
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    (tmp_path / "a.pem").write_bytes(b"# comment\n" + parameters + public_pem("h") + pkcs1)
    certificate = trustme.CA().issue_cert("localhost")
    (tmp_path / "b.crt").write_bytes(certificate.cert_chain_pems[0].bytes())
    seen = await KeyFiles((tmp_path / "a.pem", tmp_path / "b.crt"), ISSUER).observe()
    kids = {key.kid for key in seen.keys}
    assert {kid_by_openssl(public_pem("h")), kid_by_openssl(public_pem("g", "RS256"))} < kids
    assert 3 == len(kids)


async def test_a_mounted_secret_is_a_folder_of_keys(tmp_path: Path) -> None:
    """Behind kubelet's dotted links; replacing it is a rotation, at the next look."""
    (tmp_path / "..2026_01").mkdir()
    (tmp_path / "..2026_01" / "old.pub").write_bytes(public_pem("h"))
    (tmp_path / "..data").symlink_to("..2026_01")
    (tmp_path / "old.pub").symlink_to("..data/old.pub")
    source = KeyFiles((tmp_path,), ISSUER)
    assert 1 == len((await source.observe()).keys)
    (tmp_path / "..2026_01" / "new.pub").write_bytes(public_pem("i"))
    (tmp_path / "new.pub").symlink_to("..data/new.pub")
    assert 2 == len((await source.observe()).keys)


@pytest.mark.parametrize("password", [b"", b"secret"], ids=["open", "encrypted"])
@pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
async def test_a_private_key_is_refused_and_not_shown(form: str, password: bytes, tmp_path: Path) -> None:
    """Not stripped: the file is where it must not be, and its owner has to hear of it."""
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem = private("h").private_bytes(PEM, getattr(serialization.PrivateFormat, form), encryption)
    (tmp_path / "sa.key").write_bytes(public_pem("i") + pem)
    with pytest.raises(RefusedError, match="PRIVATE KEY") as refusal:
        await KeyFiles((tmp_path / "sa.key",), ISSUER).observe()
    assert "private" == refusal.value.gate
    assert pem.splitlines()[1].decode() not in str(refusal.value)


@pytest.mark.parametrize(
    "content, kind",
    [
        pytest.param(None, SourceError, id="missing"),
        pytest.param(b"", DocumentError, id="empty"),
        pytest.param(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", DocumentError, id="no key"),
        pytest.param(b"\x00\xff" * 99, DocumentError, id="no text"),
        pytest.param(public_pem("h") + b"#" * (1 << 20), DocumentError, id="too large to be read to its end"),
        pytest.param(b"-----BEGIN PUBLIC KEY-----\n" * 30_000, DocumentError, id="beginnings without an end"),
    ],
)
async def test_a_file_without_a_key_is_an_error_that_names_it(
    content: bytes | None, kind: type[OIDCError], tmp_path: Path
) -> None:
    """The last good documents stay meanwhile."""
    if content is not None:
        (tmp_path / "sa.pub").write_bytes(content)
    with pytest.raises(kind, match=r"sa\.pub"):
        await KeyFiles((tmp_path / "sa.pub",), ISSUER).observe()


@pytest.mark.parametrize(
    "make, reason",
    [
        pytest.param(ed25519.Ed25519PrivateKey.generate, "Ed25519", id="Ed25519"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP256K1()), "secp256k1", id="secp256k1"),
        pytest.param(lambda: rsa.generate_private_key(65537, 1024), "1024 bits", id="RSA 1024"),  # noqa: S505
    ],
)
async def test_an_unsuitable_key_is_left_out_of_files_too(make: object, reason: str, tmp_path: Path) -> None:
    """STS would not take it."""
    key = make().public_key()  # type: ignore[operator]
    (tmp_path / "sa.pub").write_bytes(public_pem("h") + key.public_bytes(PEM, Public.SubjectPublicKeyInfo))
    seen = await KeyFiles((tmp_path / "sa.pub",), ISSUER).observe()
    assert 1 == len(seen.keys)
    (left,) = seen.left
    assert isinstance(left, Left)
    assert reason in left.reason


# --- another issuer


async def test_another_issuers_documents_are_taken_over(tmp_path: Path) -> None:
    """Its jwks_uri is followed, its issuer kept."""
    async with running(trustme.CA(), tmp_path) as upstream:
        upstream.keys, upstream.issuer, upstream.jwks_uri = [jwk("a")], upstream.url, f"{upstream.url}/openid/v1/jwks"
        seen = await Issuer(upstream.url, tmp_path / "upstream.pem").observe()
        assert (upstream.url, ["a"]) == (seen.issuer, [key.kid for key in seen.keys])


@pytest.mark.parametrize(
    "change, kind, reason",
    [
        ({"issuer": "https://other.example.com"}, RefusedError, "its issuer is"),
        ({"jwks_uri": "http://localhost/jwks"}, DocumentError, "not https"),
        ({"jwks_uri": "file:///etc/passwd"}, DocumentError, "not https"),
        ({"jwks_uri": 7}, DocumentError, "jwks_uri"),
    ],
)
async def test_an_issuer_that_is_another_or_leads_astray_is_refused(
    change: dict[str, object], kind: type[OIDCError], reason: str, tmp_path: Path
) -> None:
    """OpenID Connect Discovery section 4.3: the issuer must be the one that was asked for."""
    async with running(trustme.CA(), tmp_path) as upstream:
        upstream.keys, upstream.issuer, upstream.jwks_uri = [jwk("a")], upstream.url, f"{upstream.url}/openid/v1/jwks"
        for name, value in change.items():
            setattr(upstream, name, value)
        with pytest.raises(kind, match=reason):
            await Issuer(upstream.url, tmp_path / "upstream.pem").observe()


# --- several API servers


class Says:
    """A source with one answer."""

    place = "somewhere"

    def __init__(self, answer: Observation | OIDCError) -> None:
        self.answer = answer

    async def observe(self) -> Observation:
        if isinstance(self.answer, OIDCError):
            raise self.answer
        return self.answer


def says(names: str, issuer: str = ISSUER, signer: str | None = None) -> Says:
    return Says(Observation(issuer, tuple(from_members(jwk(name)) for name in names), signer=signer))


async def kids(*sources: Says, shared: bool = False) -> str:
    return "".join(key.kid for key in (await Several(sources, shared=shared).observe()).keys)


async def test_the_union_of_several_api_servers_is_published() -> None:
    """While they are restarted one by one, a token of any of them verifies."""
    assert "abc" == await kids(says("ab"), says("bc"))


async def test_one_of_several_may_be_away() -> None:
    """What the others say is published, and the problem noted."""
    seen = await Several((says("ab"), Says(SourceError("away")))).observe()
    assert ("ab", ("away",)) == ("".join(key.kid for key in seen.keys), seen.problems)
    with pytest.raises(SourceError, match="away"):
        await kids(Says(SourceError("away")), Says(SourceError("away")))


async def test_two_clusters_are_not_merged_by_accident() -> None:
    """They would share every `sub`: different issuers never, disjoint keys only behind the flag."""
    with pytest.raises(RefusedError, match="different issuers"):
        await kids(says("a"), says("a", "https://other.example.com"), shared=True)
    with pytest.raises(RefusedError, match="two clusters"):
        await kids(says("a"), says("b"))
    assert "ab" == await kids(says("a"), says("b"), shared=True)


async def test_a_gate_of_one_holds_for_all() -> None:
    """A private key in one server's answer is not outvoted."""
    with pytest.raises(RefusedError, match="lost"):
        await kids(says("a"), Says(RefusedError("private", "lost")))


# --- how the API server is reached


async def test_a_kubeconfig_says_all(tmp_path: Path) -> None:
    """Server, CA and token of its current context."""
    async with running(trustme.CA(), tmp_path) as upstream:
        upstream.keys, upstream.token = [jwk("a")], "from-kubeconfig"
        ca = base64.b64encode((tmp_path / "upstream.pem").read_bytes()).decode()
        (tmp_path / "config").write_text(
            kubeconfig(upstream.url, f"certificate-authority-data: {ca}", "token: from-kubeconfig")
        )
        assert ISSUER == (await APIServer(endpoint_of(tmp_path / "config")).observe()).issuer
        (tmp_path / "token").write_text("from-kubeconfig")
        (tmp_path / "config").write_text(
            kubeconfig(upstream.url, "certificate-authority: upstream.pem", "tokenFile: token")
        )
        assert ISSUER == (await APIServer(endpoint_of(tmp_path / "config")).observe()).issuer


def kubeconfig(server: str, authority: str, user: str) -> str:
    return f"""
current-context: here
contexts: [{{name: here, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "{server}", {authority}}}}}]
users: [{{name: u, user: {{{user}}}}}]
"""


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "no usable current context"),
        ("a: [", "kubeconfig"),
        ("current-context: gone\ncontexts: []\nclusters: []", "no context 'gone'"),
        (kubeconfig("https://x", "certificate-authority: ca", "exec: {command: rm}"), "'exec' is not supported"),
        (kubeconfig("https://x", "certificate-authority-data: '%%'", "token: t"), "kubeconfig"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_an_error_at_start(text: str, reason: str, tmp_path: Path) -> None:
    """It names the file; a plugin is never run."""
    (tmp_path / "config").write_text(text)
    with pytest.raises(ConfigError, match=reason):
        endpoint_of(tmp_path / "config")


def test_in_a_pod_the_cluster_is_the_source() -> None:
    """By kubelet's variables and the mounted ServiceAccount; IPv6 in brackets; elsewhere it says what to give."""
    endpoint = in_cluster({"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"})
    assert "https://[fd00::1]:6443" == endpoint.server
    assert Path("/var/run/secrets/kubernetes.io/serviceaccount/token") == endpoint.token
    with pytest.raises(ConfigError, match="--kubeconfig"):
        in_cluster({})


async def test_credentials_that_cannot_be_read_are_the_sources_problem(tmp_path: Path) -> None:
    """They may be there at the next look, so the server goes on."""
    endpoint = Endpoint("https://localhost:1", token=tmp_path / "missing")
    with pytest.raises(SourceError, match="credentials"):
        await APIServer(endpoint).observe()
    os.write(os.open(tmp_path / "missing", os.O_CREAT | os.O_WRONLY), b"two\nlines")
    with pytest.raises(SourceError, match="holds no token"):
        await APIServer(endpoint).observe()


# --- who signs


def token(header: str, claims: str) -> str:
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in (header, claims)) + ".sig"


@pytest.mark.parametrize(
    "text, kid",
    [
        pytest.param(token('{"kid": "k"}', f'{{"iss": "{ISSUER}"}}'), "k", id="ours"),
        pytest.param(token('{"kid": "k"}', '{"iss": "https://other"}'), None, id="of another issuer"),
        pytest.param(token("{}", f'{{"iss": "{ISSUER}"}}'), None, id="no kid"),
        pytest.param(token('{"kid": 7}', f'{{"iss": "{ISSUER}"}}'), None, id="a number"),
        pytest.param("opaque", None, id="no JWT"),
        pytest.param("a.b.c", None, id="no base64"),
        pytest.param("", None, id="none"),
    ],
)
def test_who_signs_is_read_off_our_own_token(text: str, kid: str | None) -> None:
    """Anything but a token of this issuer tells nothing."""
    assert kid == kid_of(text, ISSUER)


@pytest.mark.parametrize("kid, problems", [("a", 0), ("b", 1)], ids=["published", "not published"])
async def test_a_signing_key_that_is_not_published_is_told_of(kid: str, problems: int, tmp_path: Path) -> None:
    """A relying party says no more than that it has no key; whoever looks at the log is told which flag lacks what."""
    async with running(trustme.CA(), tmp_path) as upstream:
        upstream.keys = [jwk("a")]
        ours = token(f'{{"kid": "{kid}"}}', f'{{"iss": "{ISSUER}"}}')
        one = APIServer(Endpoint(upstream.url, ca=tmp_path / "upstream.pem", token=ours))
        for source, count in ((one, 1), (Several((one, one)), 2)):
            seen = await source.observe()
            assert problems * count == len(seen.problems)
            assert all("--service-account-key-file" in problem for problem in seen.problems)


@pytest.mark.parametrize(
    "issuer", ["https://[bad", "https://a]b", "https://", "http://a", "", "https://a?b", "https://a#b"]
)
def test_what_is_no_issuer_is_refused_by_name(issuer: str) -> None:
    """Also what no reader of URLs takes: one malformed answer must not end the looking."""
    body = json.dumps({"issuer": issuer, "jwks_uri": "https://a/keys"}).encode()
    with pytest.raises(DocumentError, match="it must be https://HOST"):
        discovery.parse(body, "source")
