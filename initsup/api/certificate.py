"""A self-signed P-256 certificate, made with nothing but whole numbers: 10 ms, and no package that a fresh machine
might not have. It lives as long as initsup does; ssl(3) does all that is done with it.

Sources: SEC 1 (ECDSA), FIPS 186-4 D.1.2.3 (the curve), RFC 5280 (certificate), RFC 5915 (private key), X.690 (DER).
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import os
import time

_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_DAY = 86400

Point = tuple[int, int, int]


def certificate(addresses: tuple[str, ...], now: float | None = None) -> tuple[bytes, bytes]:
    """Certificate and private key, both PEM, for these addresses and localhost; `now` is wall time in Unix seconds."""
    secret = int.from_bytes(os.urandom(40)) % (_N - 1) + 1
    public = b"\x04" + b"".join(part.to_bytes(32) for part in _times(secret))
    body = _body(public, addresses, time.time() if now is None else now)
    signed = _sequence(body, _sequence(_oid("1.2.840.10045.4.3.2")), _bits(_sign(secret, body)))
    key = _sequence(
        _integer(1),
        _tag(0x04, secret.to_bytes(32)),
        _tag(0xA0, _oid("1.2.840.10045.3.1.7")),
        _tag(0xA1, _bits(public)),
    )
    return _pem("CERTIFICATE", signed), _pem("EC PRIVATE KEY", key)


def _body(public: bytes, addresses: tuple[str, ...], now: float) -> bytes:
    name = _sequence(_tag(0x31, _sequence(_oid("2.5.4.3"), _tag(0x0C, b"initsup"))))
    algorithm = _sequence(_oid("1.2.840.10045.2.1"), _oid("1.2.840.10045.3.1.7"))
    extensions = _sequence(
        _extension("2.5.29.19", _sequence(_tag(0x01, b"\xff")), critical=True),  # a CA
        _extension("2.5.29.15", _tag(0x03, b"\x02\x84"), critical=True),  # digitalSignature, keyCertSign
        _extension("2.5.29.37", _sequence(_oid("1.3.6.1.5.5.7.3.1"))),  # serverAuth
        _extension("2.5.29.14", _tag(0x04, hashlib.sha1(public, usedforsecurity=False).digest())),
        _extension("2.5.29.17", _sequence(*_names(addresses))),
    )
    return _sequence(
        _tag(0xA0, _integer(2)),
        _integer(int.from_bytes(os.urandom(16)) >> 1),
        _sequence(_oid("1.2.840.10045.4.3.2")),
        name,
        _sequence(_time(now - _DAY), _time(now + 3650 * _DAY)),
        name,
        _sequence(algorithm, _bits(public)),
        _tag(0xA3, extensions),
    )


def _names(addresses: tuple[str, ...]) -> list[bytes]:
    return [_tag(0x82, b"localhost"), *(_tag(0x87, ipaddress.ip_address(one).packed) for one in addresses)]


# -- the curve ------------------------------------------------------------------------------------------------------


def _sign(secret: int, message: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(message).digest())
    while True:
        once = int.from_bytes(os.urandom(40)) % (_N - 1) + 1
        r = _times(once)[0] % _N
        s = pow(once, -1, _N) * (digest + r * secret) % _N
        if r and s:
            return _sequence(_integer(r), _integer(s))


def _times(factor: int) -> tuple[int, int]:
    """The base point, so many times; in Jacobian coordinates, which need one division only."""
    total: Point = (0, 1, 0)
    step: Point = (*_G, 1)
    while factor:
        if factor & 1:
            total = _add(total, step)
        step = _double(step)
        factor >>= 1
    x, y, z = total
    inverse = pow(z, -1, _P)
    return x * inverse**2 % _P, y * inverse**3 % _P


def _double(point: Point) -> Point:
    x, y, z = point
    square = y * y % _P
    s = 4 * x * square % _P
    m = 3 * (x - z * z) * (x + z * z) % _P
    x3 = (m * m - 2 * s) % _P
    return x3, (m * (s - x3) - 8 * square * square) % _P, 2 * y * z % _P


def _add(one: Point, other: Point) -> Point:
    """The sum of two different points."""
    if not one[2]:
        return other
    (x1, y1, z1), (x2, y2, z2) = one, other
    z1_2, z2_2 = z1 * z1 % _P, z2 * z2 % _P
    u1, s1 = x1 * z2_2 % _P, y1 * z2 * z2_2 % _P
    h, r = (x2 * z1_2 - u1) % _P, (y2 * z1 * z1_2 - s1) % _P
    h2 = h * h % _P
    h3, u = h2 * h % _P, u1 * h2 % _P
    x3 = (r * r - h3 - 2 * u) % _P
    return x3, (r * (u - x3) - s1 * h3) % _P, h * z1 * z2 % _P


# -- DER ------------------------------------------------------------------------------------------------------------


def _tag(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _tag(0x30, b"".join(parts))


def _integer(number: int) -> bytes:
    return _tag(0x02, number.to_bytes(number.bit_length() // 8 + 1))


def _bits(content: bytes) -> bytes:
    return _tag(0x03, b"\0" + content)


def _oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    out = bytearray((first * 40 + second,))
    for number in rest:
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | (number & 0x7F))
        out += bytes(reversed(digits))
    return _tag(0x06, bytes(out))


def _time(at: float) -> bytes:
    return _tag(0x17, time.strftime("%y%m%d%H%M%SZ", time.gmtime(at)).encode())  # UTCTime, good until 2049


def _extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    return _sequence(_oid(oid), *([_tag(0x01, b"\xff")] if critical else []), _tag(0x04, value))


def _pem(kind: str, content: bytes) -> bytes:
    text = base64.encodebytes(content).replace(b"\n", b"")
    lines = b"\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (kind.encode(), lines, kind.encode())
