"""The page in a browser, and what it asks beside the Kubernetes API: the time line, and a restart.

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
from initsup.api.history import History
from initsup.api.routes import answer as answer_verb
from initsup.core.chart import Window
from initsup.engine import Engine
from initsup.errors import InitsupError

_WEB = os.path.join(os.path.dirname(__file__), "web")
_SCRIPTS = ("net.js", "timeline.js", "logs.js", "page.js")
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

    def __init__(self, engine: Engine, state_dir: str) -> None:
        self._engine = engine
        self._history = History(state_dir)
        self._reading = anyio.Lock()

    async def answer(self, words: list[str], request: Request) -> Answer:
        """Answer what is below /dashboard. Raises Failure."""
        if words == ["timeline"]:
            if request.method not in ("GET", "HEAD"):
                raise not_allowed()
            return await self._timeline(request)
        if words == ["restart"]:
            if request.method != "POST":
                raise not_allowed()
            return self._restart(request)
        raise no_route()

    async def _timeline(self, request: Request) -> Answer:
        window = Window(_seconds(request, "first"), _seconds(request, "last"), request.flag("start"))
        try:
            async with self._reading:
                while self._history.read_on():
                    await anyio.sleep(0)  # the pod has its turn between two pieces
                return reply(self._history.chart(window, self._engine.now()))
        except InitsupError as problem:
            raise Failure(503, str(problem)) from None

    def _restart(self, request: Request) -> Answer:
        done = answer_verb(self._engine, {"verb": "restart", "container": request.first("container") or None})
        if "error" in done:
            raise bad_request(done["error"])
        return reply(done)


def _seconds(request: Request, name: str) -> float | None:
    seconds = request.number(name)
    if seconds is not None and seconds < 1:
        raise bad_request(f"invalid value {seconds} for {name}: at least one second is expected")
    return seconds


def _file(name: str) -> str:
    with open(os.path.join(_WEB, name), encoding="utf-8") as file:
        return file.read()


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
