"""Which request an httpGet action means, and where a redirect leads (pkg/probe/http/request.go, Go's net/http client).

Pure. h11 is imported with this module, so import it when the first httpGet action runs.
"""

from __future__ import annotations

import string
from functools import lru_cache
from urllib.parse import quote as percent_encode
from urllib.parse import urljoin, urlsplit

import h11
import msgspec

from initsup.node.go_text import join_host_port, quote
from initsup.spec.probe import HTTPGetAction, HTTPHeader

_PORTS = {"http": 80, "https": 443}
_IN_PATH = "/:@!$&'()*+,;=~%[]"
_NOT_COPIED = frozenset(("Host", "User-Agent", "Content-Length", "Transfer-Encoding", "Trailer"))
"""Headers of the user that Go writes from elsewhere, or not at all (net/http `reqWriteExcludeHeader`)."""


class BadRequest(Exception):
    """No request can be made of this; the message is Go's."""


class Request(msgspec.Struct, frozen=True):
    """One GET. `url` is shown in errors, `authority` is `host:port` as in the URL, `sent_host` the Host header."""

    url: str
    scheme: str
    authority: str
    host: str
    port: int
    sent_host: str
    headers: tuple[tuple[str, str], ...]
    event: h11.Request

    @property
    def tls(self) -> bool:
        """Whether it goes over TLS."""
        return self.scheme == "https"


@lru_cache(maxsize=4096)
def request(action: HTTPGetAction, port: int, address: str, agent: str) -> Request:
    """The request of an action. `port` is its resolved port, `address` the pod's IP, `agent` the default User-Agent.

    Raises BadRequest.
    """
    scheme = action.scheme.lower() or "http"
    authority = join_host_port(action.host or address, port)
    headers = _headers(action.http_headers)
    headers.setdefault("User-Agent", [agent])
    if not headers.setdefault("Accept", ["*/*"])[0]:
        del headers["Accept"]
    sent_host = headers.get("Host", [""])[0] or authority
    lines = tuple((name, value) for name, values in headers.items() for value in values)
    return _request(f"{scheme}://{authority}{_target(action.path)}", sent_host, lines)


def redirected(asked: Request, location: str) -> Request:
    """The request that a redirect leads to, with the same headers. Raises BadRequest.

    A Host header of the user's own survives a relative redirect only; the Referer is set as browsers do.
    """
    try:
        url = urljoin(asked.url, location)
        relative = not urlsplit(location).scheme
    except ValueError as error:
        raise BadRequest(f"failed to parse Location header {quote(location)}: {error}") from None
    sent_host = asked.sent_host if relative and asked.sent_host != asked.authority else ""
    lines = [line for line in asked.headers if line[0] != "Referer"]
    if not (asked.tls and url.startswith("http:")):
        lines.append(("Referer", dict(asked.headers).get("Referer") or asked.url))
    return _request(url, sent_host, tuple(lines))


def in_plain_text(asked: Request) -> Request:
    """The same over http and without Authorization: for a hook that says HTTPS and meets a plain server."""
    lines = tuple(line for line in asked.headers if line[0] != "Authorization")
    return _request("http" + asked.url.removeprefix("https"), asked.sent_host, lines)


def _request(url: str, sent_host: str, headers: tuple[tuple[str, str], ...]) -> Request:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadRequest(f"parse {quote(url)}: {str(error).lower()}") from None
    if parts.scheme not in _PORTS:
        raise BadRequest(f"unsupported protocol scheme {quote(parts.scheme)}")
    authority = parts.netloc.rpartition("@")[2]
    if not parts.hostname:
        raise BadRequest("http: no Host in request URL")
    target = (percent_encode(parts.path, _IN_PATH) or "/") + (f"?{_query(parts.query)}" if parts.query else "")
    sent_host = sent_host or authority
    try:
        event = h11.Request(method="GET", target=target, headers=_wire_headers(sent_host, headers))
    except h11.LocalProtocolError as error:
        raise BadRequest(f"net/http: {error}") from None
    return Request(
        url=url,
        scheme=parts.scheme,
        authority=authority,
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        sent_host=sent_host,
        headers=headers,
        event=event,
    )


def _wire_headers(host: str, headers: tuple[tuple[str, str], ...]) -> list[tuple[bytes, bytes]]:
    """The header lines in Go's order: Host, User-Agent, then by name. Raises BadRequest for what cannot be sent."""
    lines = [("Host", host)]
    lines += [("User-Agent", value) for name, value in headers if name == "User-Agent" and value][:1]
    lines += sorted((line for line in headers if line[0] not in _NOT_COPIED), key=lambda line: line[0])
    lines.append(("Connection", "close"))
    for name, value in lines:
        if any((ord(letter) < 0x20 and letter != "\t") or letter == "\x7f" for letter in value):
            raise BadRequest(f"net/http: invalid header field value for {quote(name)}")
        if not name or any(letter not in _TOKEN for letter in name):
            raise BadRequest(f"net/http: invalid header field name {quote(name)}")
    return [(name.encode(), value.strip(" \t").encode()) for name, value in lines]


_TOKEN = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~")


def _headers(given: tuple[HTTPHeader, ...]) -> dict[str, list[str]]:
    """Header values by canonical name (`x-probe-id` → `X-Probe-Id`), repeated names in order."""
    headers: dict[str, list[str]] = {}
    for header in given:
        name = header.name
        if _TOKEN.issuperset(name):
            name = "-".join([word.capitalize() for word in name.split("-")])
        headers.setdefault(name, []).append(header.value)
    return headers


def _target(path: str) -> str:
    """Path, query and fragment as they stand in a URL. What is no URL becomes a path as it is, everything escaped."""
    if any(letter < " " or letter == "\x7f" for letter in path) or not _percent_signs_are_right(path):
        return "/" + percent_encode(path.lstrip("/"), _IN_PATH.replace("%", ""))
    rest, hash_, fragment = path.partition("#")
    route, mark, query = rest.partition("?")
    scheme, _, rest = route.partition("//")
    if route.startswith("//") or (scheme.endswith(":") and scheme[:-1].isalnum()):  # a whole URL: its host is not used
        route = "/" + rest.partition("/")[2]
    if not route.startswith("/"):
        route = "/" + route
    return percent_encode(route, _IN_PATH) + mark + _query(query) + hash_ + percent_encode(fragment, _IN_PATH + "?")


def _query(query: str) -> str:
    """A query is sent as it is, but for spaces and what is not ASCII."""
    return percent_encode(query, string.punctuation)


def _percent_signs_are_right(path: str) -> bool:
    hexadecimal = frozenset(string.hexdigits)
    return all(len(part) >= 2 and hexadecimal.issuperset(part[:2]) for part in path.split("%")[1:])
