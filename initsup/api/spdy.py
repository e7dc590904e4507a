"""SPDY/3.1, as much of it as kubectl speaks: streams, replies, pings, no windows (client-go uses moby/spdystream).

port-forward always uses it, inside a WebSocket since 1.31; exec and attach do before 1.30.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator

import anyio

from initsup.api.exchange import Wire

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS = 1, 2, 3, 4, 6, 7, 8
FIN = 1
MAX_FRAME = 2**24
MAX_STREAMS = 1024
MAX_HEADERS = 65536
HELD = 2**20
"""Bytes of a stream that wait for their reader; beyond that nothing more is read from the client."""
PIECE = 65536

_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie "
    "keep-alive origin"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative "
    "Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 "
    "Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec "
    "00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset="
    "iso-8859-1,utf-,*,enq=0."
)


def dictionary() -> bytes:
    """What header blocks are compressed with (SPDY/3, 2.6.10.1)."""
    words = [word.replace("_", " ").encode() for word in _WORDS.split()]
    return b"".join(struct.pack(">I", len(word)) + word for word in words) + _TAIL.encode()


class Malformed(Exception):
    """The client does not speak SPDY."""


class Stream:
    """One stream of a session, opened by the client."""

    def __init__(self, session: Session, number: int, headers: dict[str, str]) -> None:
        self.number = number
        self.headers = headers
        self._session = session
        self._held = bytearray()
        self._over = False
        self._closed = False
        self._news = anyio.Event()
        self._room = anyio.Event()

    async def receive(self) -> bytes:
        """The next bytes, b"" at the end."""
        while not self._held and not self._over:
            self._news = anyio.Event()
            await self._news.wait()
        data, self._held = bytes(self._held), bytearray()
        self._room.set()
        return data

    async def send(self, data: bytes) -> None:
        """Send all of it. Raises OSError when the client has gone."""
        for at in range(0, len(data), PIECE):
            await self._session.send_data(self.number, data[at : at + PIECE])

    async def close(self) -> None:
        """Nothing more comes from us."""
        if not self._closed:
            self._closed = True
            await self._session.send_data(self.number, b"", fin=True)

    async def arrived(self, data: bytes, over: bool) -> None:
        """The session has read this for us; it waits while we hold too much."""
        self._held += data
        self._over = self._over or over
        self._news.set()
        while len(self._held) > HELD and not self._over:
            self._room = anyio.Event()
            await self._room.wait()

    def cut(self) -> None:
        """Nothing more will come."""
        self._over = True
        self._news.set()
        self._room.set()


class Session:
    """One connection. `streams()` must be consumed: it is what reads the connection."""

    def __init__(self, wire: Wire) -> None:
        words = dictionary()
        self._wire = wire
        self._inflate = zlib.decompressobj(zdict=words)
        self._deflate = zlib.compressobj(zdict=words)
        self._buffer = bytearray()
        self._streams: dict[int, Stream] = {}

    async def streams(self) -> AsyncIterator[Stream]:
        """The streams that the client opens, each already answered, until it leaves. Raises Malformed."""
        try:
            while (frame := await self._frame()) is not None:
                opened = await self._take(*frame)
                if opened is not None:
                    yield opened
        finally:
            for stream in self._streams.values():
                stream.cut()

    async def send_data(self, number: int, data: bytes, *, fin: bool = False) -> None:
        """A data frame."""
        await self._wire.send(struct.pack(">II", number, (FIN if fin else 0) << 24 | len(data)) + data)

    def forget(self, *streams: Stream) -> None:
        """These are done with."""
        for stream in streams:
            self._streams.pop(stream.number, None)

    async def _frame(self) -> tuple[int, int, bytes] | None:
        """The next frame: its first word, flags, content."""
        head = await self._bytes(8)
        if head is None:
            return None
        first, second = struct.unpack(">II", head)
        size = second & 0xFFFFFF
        content = await self._bytes(size)
        return None if content is None else (first, second >> 24, content)

    async def _bytes(self, count: int) -> bytes | None:
        while len(self._buffer) < count:
            data = await self._wire.receive()
            if not data:
                return None
            self._buffer += data
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        return found

    async def _take(self, first: int, flags: int, content: bytes) -> Stream | None:
        if not first & 0x80000000:
            stream = self._streams.get(first)
            if stream is not None:
                await stream.arrived(content, bool(flags & FIN))
            return None
        if first >> 16 & 0x7FFF != 3:
            raise Malformed(f"SPDY version {first >> 16 & 0x7FFF}")
        kind = first & 0xFFFF
        if kind == SYN_STREAM:
            return await self._open(flags, content)
        if kind == PING:
            await self._control(PING, content)
        elif kind == RST_STREAM and len(content) >= 4:
            stream = self._streams.pop(struct.unpack(">I", content[:4])[0], None)
            if stream is not None:
                stream.cut()
        elif kind == HEADERS:
            self._headers(content[4:])  # the decompressor must see all of them
        return None

    async def _open(self, flags: int, content: bytes) -> Stream:
        if len(content) < 10 or len(self._streams) >= MAX_STREAMS:
            raise Malformed("cannot open another stream")
        number = struct.unpack(">I", content[:4])[0]
        stream = self._streams[number] = Stream(self, number, self._headers(content[10:]))
        block = self._deflate.compress(struct.pack(">I", 0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        await self._control(SYN_REPLY, struct.pack(">I", number) + block)
        if flags & FIN:
            stream.cut()
        return stream

    async def _control(self, kind: int, content: bytes) -> None:
        await self._wire.send(struct.pack(">II", 0x80030000 | kind, len(content)) + content)

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            text = self._inflate.decompress(block, MAX_HEADERS)
            if self._inflate.unconsumed_tail:
                raise Malformed("headers are too long")
            return _pairs(text)
        except (zlib.error, struct.error, ValueError) as problem:
            raise Malformed(f"headers: {problem}") from None


def _pairs(text: bytes) -> dict[str, str]:
    count = struct.unpack_from(">I", text)[0]
    at, words = 4, []
    for _ in range(min(count, 256) * 2):
        size = struct.unpack_from(">I", text, at)[0]
        words.append(text[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return {name.lower(): value for name, value in zip(words[::2], words[1::2], strict=True)}
