"""The certificate, as seen by OpenSSL."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from initsup.api.certificate import certificate


def test_a_client_trusts_it_by_address(tmp_path: Path) -> None:
    cert, key = certificate(("127.0.0.1", "::1"))
    (tmp_path / "pem").write_bytes(cert + key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "pem")
    client = ssl.create_default_context(cadata=cert.decode())
    for name in ("127.0.0.1", "::1", "localhost"):
        ours, theirs = socket.socketpair()

        def answer(end: socket.socket = ours) -> None:
            with server.wrap_socket(end, server_side=True) as tls:
                tls.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        with client.wrap_socket(theirs, server_hostname=name) as tls:
            tls.send(b"x")
            shown = tls.getpeercert()
        thread.join()
        assert shown is not None
        assert ("DNS", "localhost") in shown["subjectAltName"]


def test_another_address_is_not_trusted(tmp_path: Path) -> None:
    cert, key = certificate(("127.0.0.1",))
    (tmp_path / "pem").write_bytes(cert + key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "pem")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cadata=cert.decode()).wrap_bio(incoming, outgoing, server_hostname="127.0.0.2")
    peer = server.wrap_bio(outgoing, incoming, server_side=True)

    def shake() -> None:
        for end in (client, peer, client, peer):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue

    with pytest.raises(ssl.SSLCertVerificationError, match=r"127\.0\.0\.2"):
        shake()


def test_each_is_another_one() -> None:
    assert certificate(()) != certificate(())
