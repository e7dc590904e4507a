"""Texts as Go writes them, since kubelet's messages are made of them (Go's strconv, net and syscall)."""

from __future__ import annotations

import os

_ESCAPES = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"',
}  # fmt: skip


def quote(text: str | bytes) -> str:
    """`text` as Go's `%q` prints it: in double quotes, everything unprintable escaped.

    Bytes are taken as UTF-8; one that is not is shown by its number in hexadecimal.
    """
    if isinstance(text, bytes):
        text = text.decode(errors="surrogateescape")
    return '"' + "".join([_escape(character) for character in text]) + '"'


def _escape(character: str) -> str:
    if escape := _ESCAPES.get(character):
        return escape
    if character.isprintable():
        return character
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is not UTF-8, see PEP 383
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x20 or number == 0x7F:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def errno_text(number: int) -> str:
    """What Go calls an error number: `connection refused`."""
    return os.strerror(number).lower()


def said(error: Exception) -> str:
    """What Go calls the number of `error`; words that are not the system's, such as those with a path, as they are."""
    if not isinstance(error, OSError):
        return str(error)
    words = error.strerror or str(error)
    return words.lower() if words == os.strerror(error.errno or 0) else words


def join_host_port(host: str, port: int) -> str:
    """Go's `net.JoinHostPort`: an IPv6 address gets its brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def shown(data: bytes, limit: int) -> str:
    """At most `limit` bytes of output as text; what is not UTF-8 becomes U+FFFD, as in Kubernetes' JSON."""
    return data[:limit].decode(errors="replace")
