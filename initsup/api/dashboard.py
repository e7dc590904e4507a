"""The page in a browser, and what it asks beside the Kubernetes API: the time line, all logs, and a restart.

A browser that opens an address sends no token, so the page itself is for everybody; it holds nothing about the pod.
Its script takes the token from the part of the address that is never sent, or asks for it.
"""

from __future__ import annotations

import os
from base64 import b64encode
from hashlib import sha256

import anyio

from initsup.api.exchange import Answer, Reply, Request, reply
from initsup.api.failure import Failure, bad_request, no_route, not_allowed
from initsup.api.following import answer as follow
from initsup.api.history import History
from initsup.api.routes import answer as answer_verb
from initsup.api.store import Store
from initsup.core.chart import Window
from initsup.errors import InitsupError

_WEB = os.path.join(os.path.dirname(__file__), "web")
_SCRIPTS = ("net.js", "timeline.js", "logs.js", "page.js")
SIGN = 13
"""Pixels of a mark in the page, which tells how wide its lanes are."""
_ELSE = {
    "default-src": "'none'",
    "connect-src": "'self'",
    "img-src": "data:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}


def page() -> Reply:
    """The page, in one piece. Only its own script and style run, and nobody can put it into a frame."""
    style = _file("page.css")
    script = '"use strict";\n' + "\n".join(map(_file, _SCRIPTS))
    html = _file("page.html").replace("<style></style>", f"<style>{style}</style>", 1)
    html = html.replace("<script></script>", f"<script>{script}</script>", 1)
    policy = {**_ELSE, "script-src": _hash(script), "style-src": _hash(style)}
    headers = (
        ("Content-Security-Policy", "; ".join(f"{name} {value}" for name, value in policy.items())),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Frame-Options", "DENY"),
    )
    return Reply(html.encode(), 200, "text/html; charset=utf-8", headers)


class Dashboard:
    """What the page asks of one pod."""

    def __init__(self, store: Store, state_dir: str) -> None:
        self._store = store
        self._state_dir = state_dir
        self._history = History(state_dir)
        self._reading = anyio.Lock()

    async def answer(self, words: list[str], request: Request) -> Answer:
        """Answer what is below /dashboard. Raises Failure."""
        if len(words) != 1 or words[0] not in ("timeline", "log", "restart"):
            raise no_route()
        if request.method not in (("POST",) if words[0] == "restart" else ("GET", "HEAD")):
            raise not_allowed()
        if words[0] == "log":
            return follow(self._store, self._state_dir, request)
        return await self._timeline(request) if words[0] == "timeline" else self._restart(request)

    async def _timeline(self, request: Request) -> Answer:
        window = Window(_positive(request, "first"), _positive(request, "last"), request.flag("start"))
        near = SIGN / max(_positive(request, "width") or 1000, SIGN)
        try:
            async with self._reading:
                while self._history.read_on():
                    await anyio.sleep(0)  # the pod has its turn between two pieces
                return reply(self._history.chart(window, self._store.engine.now(), near))
        except InitsupError as problem:
            raise Failure(503, str(problem)) from None

    def _restart(self, request: Request) -> Answer:
        done = answer_verb(self._store.engine, {"verb": "restart", "container": request.first("container") or None})
        if "error" in done:
            raise bad_request(done["error"])
        return reply(done)


def _positive(request: Request, name: str) -> int | None:
    number = request.number(name)
    if number is not None and number < 1:
        raise bad_request(f"invalid value {number} for {name}: a positive number is expected")
    return number


def _file(name: str) -> str:
    with open(os.path.join(_WEB, name), encoding="utf-8") as file:
        return file.read()


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
