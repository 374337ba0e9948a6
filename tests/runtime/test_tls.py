"""The served certificate changes in place, and a bad pair changes nothing."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme
from aiohttp import ClientSession, TCPConnector, web

from irsa.runtime.listener import listen
from irsa.runtime.tls import ServingCertificate, follow_files, from_files


def write(folder: Path, leaf: trustme.LeafCert) -> tuple[Path, Path]:
    certificate, key = folder / "tls.crt", folder / "tls.key"
    certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    return certificate, key


async def serial(port: int, authority: trustme.CA) -> str:
    """Serial number of the certificate that a new connection is shown."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    shown = writer.get_extra_info("peercert")["serialNumber"]
    writer.close()
    return str(shown)


async def test_new_handshakes_see_the_new_certificate_and_open_connections_go_on(tmp_path: Path) -> None:
    """A changed file pair is in service within a poll; a kept-alive connection does not notice."""
    authority = trustme.CA()
    files = write(tmp_path, authority.issue_cert("localhost"))
    serving = from_files(*files)
    app = web.Application()
    app.add_routes([web.get("/", _answer)])
    runner, port = await listen(app, port=0, host="127.0.0.1", context=serving.context)
    following = asyncio.create_task(follow_files(serving, *files, seconds=0.01))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    try:
        async with ClientSession(connector=TCPConnector(ssl=context, limit=1)) as session:
            before = await serial(port, authority)
            async with session.get(f"https://localhost:{port}/") as answer:
                assert 200 == answer.status
            write(tmp_path, authority.issue_cert("localhost"))
            async with asyncio.timeout(5):
                while await serial(port, authority) == before:
                    await asyncio.sleep(0.01)
            async with session.get(f"https://localhost:{port}/") as answer:
                assert 200 == answer.status
    finally:
        following.cancel()
        await runner.cleanup()


async def _answer(_: web.Request) -> web.Response:
    return web.Response()


def test_a_pair_that_does_not_match_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    """The live context is untouched by a certificate with another's key."""
    authority = trustme.CA()
    one, other = authority.issue_cert("localhost"), authority.issue_cert("localhost")
    serving = ServingCertificate()
    serving.show(one.cert_chain_pems[0].bytes(), one.private_key_pem.bytes())
    with pytest.raises(ssl.SSLError):
        serving.show(other.cert_chain_pems[0].bytes(), one.private_key_pem.bytes())
    serving.show(one.cert_chain_pems[0].bytes(), one.private_key_pem.bytes())
