"""The addresses of a host. Numbers and `localhost` are known at once; only another name costs a thread.

Resolving blocks, so it is done in a daemon thread that ends with it: one per name at a time, however many ask, and one
that hangs does not hold up the end of the program.
"""

from __future__ import annotations

import asyncio
import socket
import threading

Address = tuple[int, str]
"""A socket family and a numeric address."""

_lookups: dict[str, asyncio.Future[list[Address] | str]] = {}


class LookupFailed(Exception):
    """No address; the message is Go's: `lookup nowhere.example: no such host`."""


async def addresses(host: str) -> list[Address]:
    """All addresses of `host`, the best first. Raises LookupFailed. Can be cancelled at any moment."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return [(family, host)]
    if host == "localhost":
        return [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    found = await asyncio.shield(_begin(host))
    if isinstance(found, str):
        raise LookupFailed(f"lookup {host}: {found}")
    return found


def _begin(host: str) -> asyncio.Future[list[Address] | str]:
    """Start to resolve `host`, unless that is being done."""
    loop = asyncio.get_running_loop()
    lookup = _lookups.get(host)
    if lookup is None or lookup.get_loop() is not loop:
        lookup = _lookups[host] = loop.create_future()
        try:
            threading.Thread(target=_run, args=(host, lookup), name=f"lookup {host}", daemon=True).start()
        except RuntimeError as error:
            _settle(host, lookup, str(error))
    return lookup


def _run(host: str, lookup: asyncio.Future[list[Address] | str]) -> None:
    """The thread."""
    found = _resolve(host)
    try:
        lookup.get_loop().call_soon_threadsafe(_settle, host, lookup, found)
    except RuntimeError:
        pass  # the loop is closed, nobody waits


def _settle(host: str, lookup: asyncio.Future[list[Address] | str], found: list[Address] | str) -> None:
    _lookups.pop(host, None)
    lookup.set_result(found)


def _resolve(host: str) -> list[Address] | str:
    """The addresses, or why there are none."""
    try:
        entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        missing = error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
        return "no such host" if missing else str(error.strerror).lower()
    except (OSError, ValueError):  # no name at all: too long, an empty label
        return "no such host"
    return [(entry[0], str(entry[4][0])) for entry in entries]
