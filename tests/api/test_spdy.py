"""SPDY frames, against a client made of frames."""

from __future__ import annotations

import struct
import zlib

import anyio
import pytest

from initsup.api.spdy import FIN, PING, RST_STREAM, SYN_REPLY, SYN_STREAM, Malformed, Session, dictionary

pytestmark = pytest.mark.anyio


class Peer:
    """A client: bytes to send, bytes received."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.got = b""
        self._deflate = zlib.compressobj(zdict=dictionary())
        self.inflate = zlib.decompressobj(zdict=dictionary())

    async def receive(self) -> bytes:
        return self.sent.pop(0) if self.sent else b""

    async def send(self, data: bytes) -> None:
        self.got += data

    def control(self, kind: int, content: bytes, flags: int = 0, version: int = 3) -> None:
        first = 0x80000000 | version << 16 | kind
        self.sent.append(struct.pack(">II", first, flags << 24 | len(content)) + content)

    def open(self, number: int, flags: int = 0, **headers: str) -> None:
        words = [word.encode() for pair in headers.items() for word in pair]
        text = struct.pack(">I", len(headers)) + b"".join(struct.pack(">I", len(word)) + word for word in words)
        block = self._deflate.compress(text) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        self.control(SYN_STREAM, struct.pack(">II", number, 0) + b"\0\0" + block, flags)

    def data(self, number: int, data: bytes, flags: int = 0) -> None:
        self.sent.append(struct.pack(">II", number, flags << 24 | len(data)) + data)


def test_the_dictionary_is_the_standard_one() -> None:
    assert (len(dictionary()), zlib.adler32(dictionary())) == (1423, 0xE3C6A7C2)


async def test_streams_have_headers_and_are_answered() -> None:
    peer = Peer()
    peer.open(1, streamtype="error", port="80")
    peer.open(3, streamtype="data", port="80")
    found = [stream async for stream in Session(peer).streams()]
    assert [stream.headers for stream in found] == [
        {"streamtype": "error", "port": "80"},
        {"streamtype": "data", "port": "80"},
    ]
    kind, size, number = struct.unpack(">III", peer.got[:12])
    assert (kind & 0xFFFF, number) == (SYN_REPLY, 1)
    assert peer.inflate.decompress(peer.got[12 : 8 + (size & 0xFFFFFF)]) == struct.pack(">I", 0)


async def test_data_comes_in_order_and_ends() -> None:
    peer = Peer()
    peer.open(1, streamtype="data")
    peer.data(1, b"one ")
    peer.data(1, b"two", FIN)
    streams = [stream async for stream in Session(peer).streams()]
    assert await streams[0].receive() == b"one two"
    assert await streams[0].receive() == b""


async def test_frames_may_come_in_any_pieces() -> None:
    peer = Peer()
    peer.open(1, streamtype="data")
    peer.data(1, b"abc", FIN)
    peer.sent = [bytes((byte,)) for byte in b"".join(peer.sent)]
    streams = [stream async for stream in Session(peer).streams()]
    assert await streams[0].receive() == b"abc"


async def test_a_ping_comes_back() -> None:
    peer = Peer()
    peer.control(PING, b"\0\0\0\7")
    assert [stream async for stream in Session(peer).streams()] == []
    assert peer.got == struct.pack(">II", 0x80030000 | PING, 4) + b"\0\0\0\7"


async def test_a_reset_stream_ends() -> None:
    peer = Peer()
    peer.open(1, streamtype="data")
    peer.control(RST_STREAM, struct.pack(">II", 1, 5))
    peer.data(1, b"late")
    streams = [stream async for stream in Session(peer).streams()]
    assert await streams[0].receive() == b""


async def test_a_reader_that_does_not_read_holds_the_client_back() -> None:
    peer = Peer()
    peer.open(1, streamtype="data")
    for _ in range(40):
        peer.data(1, bytes(65536))
    with anyio.move_on_after(0.2) as waited:
        async for _ in Session(peer).streams():
            pass
    assert waited.cancelled_caught
    assert len(peer.sent) > 20


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(struct.pack(">II", 0x80020000 | SYN_STREAM, 0), id="another version"),
        pytest.param(struct.pack(">II", 0x80030000 | SYN_STREAM, 3) + b"abc", id="a stream that is too short"),
        pytest.param(struct.pack(">II", 0x80030000 | SYN_STREAM, 14) + bytes(10) + b"junk", id="headers that are none"),
    ],
)
async def test_malformed_frames_end_the_session(content: bytes) -> None:
    peer = Peer()
    peer.sent.append(content)
    with pytest.raises(Malformed):
        async for _ in Session(peer).streams():
            pass
