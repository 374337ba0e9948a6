"""TLS that begins on a plain connection: nothing that a client sends behind its handshake is lost."""

import asyncio
import contextlib
import ssl

import pytest
import trustme

from irsa.runtime.http1 import Deadlines
from sts.http import Reply
from sts.listener import Listener
from sts.sigv4 import HttpRequest

REQUEST = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


class Hello:
    """Greets."""

    async def answer(self, asked: HttpRequest, _: object) -> Reply:
        return Reply(200, f"hello {asked.method} {asked.secure}".encode(), {})


@pytest.fixture
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's and the client's."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    return server, client


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("pieces", [1, 2, 1000])
async def test_a_request_may_come_with_the_end_of_the_handshake(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], version: ssl.TLSVersion, pieces: int
) -> None:
    """In the same bytes, or in pieces that are cut anywhere."""
    contexts[1].minimum_version = contexts[1].maximum_version = version
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = contexts[1].wrap_bio(incoming, outgoing, server_hostname="localhost")
    async with asyncio.timeout(20), Listener(Hello()).listen(0, "127.0.0.1", contexts[0]) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65536))
        tls.write(REQUEST)
        last = outgoing.read()  # for TLS 1.3 the client's Finished is still in it
        size = -(-len(last) // pieces)
        for start in range(0, len(last), size):
            writer.write(last[start : start + size])
            await asyncio.sleep(0)
        answer = b""
        while not answer.endswith(b"hello GET True"):
            incoming.write(await reader.read(65536))
            try:
                answer += tls.read(65536)
            except ssl.SSLWantReadError:
                continue
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_what_is_no_handshake_is_forgotten(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """Plain HTTP on the TLS port, a client that leaves, one that says nothing until its time is over."""
    listener = Listener(Hello(), Deadlines(head=0.3))
    async with asyncio.timeout(20), listener.listen(0, "127.0.0.1", contexts[0]) as port:
        for sent in (REQUEST, b"\x16\x03\x01", b""):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            with contextlib.suppress(ConnectionError):
                while await reader.read(1024):
                    pass
            writer.close()
        assert not listener.port._handshakes
        assert not listener.port.connections
