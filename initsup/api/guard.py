"""Who may ask at all. On the unix socket root and initsup's own user may, on TCP whoever has the token.

Pages of other sites are kept out on both: they send an Origin, and a name that was made to point here comes as another
Host. Nobody may ask in the name of somebody else (`kubectl --as`), whose rights nobody here knows. Our own page is for
everybody (see `api.dashboard`), since a browser that opens an address has no token to send.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping

from initsup.api.failure import Failure, bad_request, forbidden

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
    if token is not None and path not in OPEN and not wants_page(path, headers):
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
            raise Failure(401, "Unauthorized")
    if named := next((name for name in headers if name.startswith("impersonate-")), ""):
        raise forbidden("users", headers.get("impersonate-user", headers[named]), "initsup knows only its owner")


def wants_page(path: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser was pointed here; other clients want the list of paths."""
    return path == "/" and "text/html" in headers.get("accept", "").lower()


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
