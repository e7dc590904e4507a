"""TLS over a `Wire`, unverified as kubelet's probes are (pkg/probe/http `InsecureSkipVerify`).

Imported when the first HTTPS request is made. ALPN is not offered, so servers answer in HTTP/1.1.
"""

from __future__ import annotations

import ssl
from functools import cache

from initsup.node.dial import Wire

_ALERT, _HANDSHAKE = 21, 22
"""The types of record that a server may begin with (RFC 8446, section 5.1)."""


class NotTLS(Exception):
    """The server answered in plain HTTP."""


@cache
def _context() -> ssl.SSLContext:
    """Made once: no certificate store is loaded, and old servers with weak keys are let through."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    return context


class TLSWire(Wire):
    """Raises ConnectionError with a text like Go's: `remote error: tls: handshake failure`."""

    def __init__(self, inner: Wire, host: str) -> None:
        self._inner = inner
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = _context().wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._first = True

    async def handshake(self) -> None:
        """Must be awaited first. Raises NotTLS, and ConnectionError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._feed()
            except ssl.SSLError as error:
                raise _broken(error) from None
            else:
                return await self._flush()

    async def send(self, data: bytes) -> None:
        """Write all of `data`."""
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise _broken(error) from None
        await self._flush()

    async def receive(self) -> bytes:
        """What has come in, at least one byte; empty at the end, orderly or not."""
        while True:
            try:
                return self._tls.read(65536)
            except ssl.SSLWantReadError:
                await self._feed()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            except ssl.SSLError as error:
                raise _broken(error) from None

    def close(self) -> None:
        """Close without a farewell: nothing more is wanted from the peer."""
        self._inner.close()

    async def _feed(self) -> None:
        await self._flush()
        data = await self._inner.receive()
        if self._first and data.startswith(b"HTTP/"):
            raise NotTLS
        if self._first and data and data[0] not in (_ALERT, _HANDSHAKE):
            raise ConnectionError("tls: first record does not look like a TLS handshake")
        self._first = False
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._inner.send(self._outgoing.read())


def _broken(error: ssl.SSLError) -> ConnectionError:
    """The alert or the fault that OpenSSL names, `SSLV3_ALERT_HANDSHAKE_FAILURE`, in words."""
    if isinstance(error, ssl.SSLEOFError) or error.reason is None:  # OpenSSL before 3.0.9 names no reason for it
        return ConnectionError("EOF")
    words = (error.reason or "unknown error").lower().replace("_", " ")
    _, alert, meaning = words.partition("alert ")
    return ConnectionError(f"remote error: tls: {meaning}" if alert else f"tls: {words}")
