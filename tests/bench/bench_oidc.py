"""The discovery server beside kube-apiserver's own endpoint: the same keys, over TLS, in the same run.

What is compared is the CPU of a request; kube-apiserver also has to authenticate and authorize who asks, which is part
of why one puts another server before the world.
"""

import json
import socket
import ssl
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import trustme

from tests.bench import harness
from tests.bench.harness import Request, Subject
from tests.cluster import apiserver, binaries, pki

JWKS = "/openid/v1/jwks"
POLL = 1.0  # seconds
HANDSHAKES = 300


def main() -> None:
    """Print the tables."""
    binaries.build(binaries.API_SERVER)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "api").mkdir()
        with apiserver.serve(folder / "api", None, [pki.signing_key()]) as server:
            _measure(folder, server)


def _measure(folder: Path, server: apiserver.ApiServer) -> None:
    server.namespace("bench")
    token = server.token("bench", "default", server.issuer, 3600)
    (folder / "token").write_text(token)
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost")
    leaf.private_key_and_cert_chain_pem.write_to_path(folder / "both.pem")
    port, metrics = harness.free_port(), harness.free_port()
    command = [
        sys.executable, "-m", "irsa", "oidc", f"--port={port}", f"--metrics-port={metrics}", "--host=127.0.0.1",
        f"--tls-cert={folder}/both.pem", f"--tls-key={folder}/both.pem", f"--poll={POLL}s", "--lame-duck=0s",
        f"--kube-api={server.url}", f"--kube-ca-file={server.folder}/ca.crt", f"--kube-token-file={folder}/token",
    ]  # fmt: skip
    with harness.started(command, folder / "log") as process:
        harness.eventually(lambda: harness.answers(metrics), "irsa oidc is ready")
        ours, theirs = f"https://localhost:{port}{JWKS}", f"{server.url}{JWKS}"
        etag = _get(ours, authority)[1]["ETag"]
        assert server._process is not None
        subjects = [
            Subject("kube-apiserver 200", server._process.pid, _request(theirs, Authorization=f"Bearer {token}")),
            Subject("irsa oidc 200", process.pid, _request(ours)),
            Subject("irsa oidc 304", process.pid, _request(ours, 304, **{"If-None-Match": etag})),
        ]
        print(
            f"\n## OIDC discovery\n\n{harness.machine('aiohttp', 'uvloop')}; "
            f"kube-apiserver {binaries.kubernetes_version()}"
        )
        for connections in (1, 8, 32):
            seen = harness.interleaved(subjects, connections, seconds=1.5)
            title = f"GET {JWKS}, TLS keep-alive, {connections} connections"
            print(harness.table(title, harness.HEADER, harness.rows(seen, "kube-apiserver 200")))
        _handshakes({"kube-apiserver": server.url, "irsa oidc": ours}, {s.name: s.pid for s in subjects})
        now, peak = harness.memory(process.pid)
        theirs_now, _ = harness.memory(server._process.pid)
        print(
            f"\nResident memory after that: irsa oidc {now:.1f} MiB (peak {peak:.1f}), "
            f"kube-apiserver {theirs_now:.0f} MiB"
        )
        print(
            f"\nA key added at the API server is published after "
            f"{_change(server, ours, authority):.2f} s (--poll={POLL:g}s)"
        )


def _request(url: str, status: int = 200, **headers: str) -> Request:
    return Request(url, method="GET", headers={"Accept": "*/*", **headers}, status=status)


def _get(url: str, authority: trustme.CA) -> tuple[bytes, dict[str, str]]:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with urllib.request.urlopen(url, context=context) as answer:  # noqa: S310 -- loopback
        return answer.read(), dict(answer.headers)


def _handshakes(urls: dict[str, str], pids: dict[str, int]) -> None:
    table = []
    for name, url in urls.items():
        pid = next(pid for subject, pid in pids.items() if subject.startswith(name))
        port = int(url.split(":")[2].split("/")[0])
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        before, began = harness.cpu_seconds(pid), time.perf_counter()
        for _ in range(HANDSHAKES):
            with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain):
                pass
        took, spent = time.perf_counter() - began, harness.cpu_seconds(pid) - before
        table.append([name, f"{spent / HANDSHAKES * 1e6:.0f}", f"{HANDSHAKES / took:.0f}"])
    print(harness.table("New TLS connections, one after the other", ("server", "CPU µs", "a second"), table))


def _change(server: apiserver.ApiServer, ours: str, authority: trustme.CA) -> float:
    """Seconds from a key's appearance at the API server to its appearance at ours."""
    server.stop()
    (server.folder / "sa-1.pub").write_bytes(pki.public_key(pki.signing_key()))
    server.start()
    began = time.perf_counter()
    wanted = {key["kid"] for key in json.loads(server.client.raw("GET", JWKS)[1])["keys"]}
    assert 2 == len(wanted)
    harness.eventually(
        lambda: wanted == {k["kid"] for k in json.loads(_get(ours, authority)[0])["keys"]}, "the new key"
    )
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
