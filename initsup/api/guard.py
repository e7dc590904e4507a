"""Who may ask at all. On the unix socket root and initsup's own user may, on TCP whoever has the token.

A browser is kept out on both: it sends an Origin, and a name that was made to point here comes as another Host.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping

from initsup.api.failure import Failure, bad_request

OPEN = frozenset(("/livez",))
"""Paths that need no token."""


def admit(path: str, headers: Mapping[str, str], token: str | None) -> None:
    """Let a request pass, or raise Failure. `token` is None where the peer is known to be the owner."""
    host = headers.get("host", "")
    if not _is_here(host):
        raise bad_request(f"host {host[:100]!r} is not served here")
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != host:
        raise Failure(403, "requests of other sites are not answered")
    if token is None or path in OPEN:
        return
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise Failure(401, "Unauthorized")


def _is_here(host: str) -> bool:
    """Whether a Host header names this machine by an address, or as localhost."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() and not host.endswith("]") else host
    if name.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
