"""Makes input by chance: slips in something that is understood."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

_TOKENS = (
    b"", b"\n", b" ", b"\t", b":", b"-", b"{", b"}", b"[", b"]", b"(", b")", b'"', b"'", b"#", b"&i ", b"*i", b"!",
    b"|", b">", b"=", b"null", b"-1", b"1e999", b"9" * 5000, b"true", b"\0", b"\xff", "é".encode(), b"\xef\xbb\xbf",
    b",", b"\\", b"/", b"..", b"../", b"%", b"%00", b"$(", b"$patch", b"---\n", b"[" * 200, b"\r\n", b"\x80", b"\x7f",
    b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xed\xb2\x80",
)  # fmt: skip


def mutated(chance: Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds with one to six slips in it."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(data))
        length = chance.choice((0, 0, 1, 1, 2, 4, chance.randint(0, 64)))
        match chance.randrange(5):
            case 0:
                data[at : at + length] = chance.choice(_TOKENS)
            case 1:
                data[at : at + length] = chance.randbytes(length)
            case 2:
                data[at:at] = data[at : at + length] * chance.randint(1, 8)
            case 3:
                other = chance.choice(seeds)
                begin = chance.randint(0, len(other))
                data[at : at + length] = other[begin : begin + length + 16]
            case _ if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
    return bytes(data)
