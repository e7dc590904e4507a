"""What clients send: HTTP requests with their queries, selectors, patches and bodies, SPDY and WebSocket frames, the
control socket's lines; and the templates of `-o jsonpath`.
"""

from __future__ import annotations

import asyncio
import atexit
import io
import json
import shutil
import struct
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import redirect_stderr
from typing import Any

import anyio
import h11
from anyio.abc import ByteStream

from initsup.api import patch, routes
from initsup.api.cluster import Cluster
from initsup.api.failure import Failure
from initsup.api.forward import _over_channels as over_channels
from initsup.api.forward import _over_spdy as over_spdy
from initsup.api.http import Connection
from initsup.api.selectors import field_selector, label_selector
from initsup.api.spdy import FIN, PING, RST_STREAM, Malformed, Session
from initsup.api.websocket import WebSocket
from initsup.cli.jsonpath import fill
from initsup.core.report import Where
from initsup.engine import Engine
from initsup.errors import UsageError
from initsup.journal import Journal
from tests.api.test_spdy import Peer
from tests.build import container, planned, probe
from tests.fake_node import FakeNode, Habit
from tests.fuzz.judge import Target

NOT_STARTED = b"Internal error occurred: error executing command in container: nothing is run here"
"""What the API has to say, as kubelet does, where the node of these pods runs no command."""
PATIENCE = 20.0
"""Seconds in which an exchange must end once the client has said everything."""
_RUNNER = asyncio.Runner()
_HOME = tempfile.mkdtemp(prefix="initsup-fuzz-")
"""Where journals are written (they take the place of what is there, so no device will do)."""
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)


def within(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it to its end, on the one loop of this process."""

    async def bounded() -> None:
        with anyio.fail_after(PATIENCE):
            await work()

    _RUNNER.run(bounded())


class Bytes(ByteStream):
    """A client that sends all that it has, and goes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.answer = b""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        piece, self._data = self._data[:max_bytes], self._data[max_bytes:]
        if not piece:
            await anyio.sleep(0)
            raise anyio.EndOfStream
        return piece

    async def send(self, item: bytes) -> None:
        self.answer += item

    async def send_eof(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Wire(Peer):
    """The same for what comes after the handshake."""

    def __init__(self, *data: bytes) -> None:
        super().__init__()
        self.sent = [piece for piece in data if piece]


def running() -> Engine:
    """A pod that runs, and does nothing that takes time."""
    plan = planned(container("a", readiness_probe=probe()), container("b", stdin=True), policy="Always")
    node = FakeNode(dict.fromkeys(plan.members, Habit()), Engine.now)
    engine = Engine(plan, node, Journal(f"{_HOME}/journal", plan, 0.0), lambda: Where(ips=("192.0.2.1",)))
    engine.step()
    return engine


def _http(data: bytes) -> None:
    engine, client, said = running(), Bytes(data), io.StringIO()

    async def serve() -> None:
        cluster = Cluster(engine, tempfile.gettempdir())
        cluster.store.close()
        await Connection(client, cluster.answer, None, "somebody").serve()

    try:
        with redirect_stderr(said):
            within(serve)
    finally:
        engine.node.close()  # type: ignore[attr-defined]
        engine.journal.close()
    assert not said.getvalue(), said.getvalue()[-1500:]
    assert b"Internal error occurred" not in client.answer.replace(NOT_STARTED, b"")
    if client.answer and b" 101 " not in client.answer[:20]:
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        reader.receive_data(client.answer)
        reader.next_event()


def _request(data: bytes) -> None:
    """Lines: method, path and query, content type, headers; after an empty line the body, whose length is told."""
    head, _, body = data.partition(b"\n\n")
    method, target, kind, *more = [*head.split(b"\n"), b"", b"", b""]
    lines = [b"%s %s HTTP/1.1" % (method, target), b"Host: localhost", b"Content-Type: " + kind, *filter(None, more)]
    _http(b"\r\n".join(lines) + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


_POD = "/api/v1/namespaces/default/pods/p"
_UPGRADE = "Connection: Upgrade\nUpgrade: {}\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\nSec-WebSocket-Version: 13"
_REQUESTS = [
    "GET\n/api/v1/pods?labelSelector=a%3Db,c+in+(d,e)&fieldSelector=metadata.name%3Dp&limit=5",
    "GET\n/api/v1/pods?watch=1&timeoutSeconds=1&resourceVersion=0&allowWatchBookmarks=true",
    f"GET\n{_POD}\n\nAccept: application/json;as=Table;v=v1;g=meta.k8s.io, application/json;q=0.5",
    f"GET\n{_POD}/log?container=a&tailLines=5&sinceSeconds=9&timestamps=true&limitBytes=9&stream=Stdout",
    f"GET\n{_POD}/exec?command=a&command=b&container=a&stdin=1&stdout=1\n\n" + _UPGRADE.format("websocket"),
    f"POST\n{_POD}/exec?command=a&container=a&stdout=1\n\n" + _UPGRADE.format("SPDY/3.1"),
    f'PATCH\n{_POD}\n{patch.MERGE}\n\n{{"metadata": {{"labels": {{"a": "b", "c": null}}}}}}',
    f'PATCH\n{_POD}\n{patch.STRATEGIC}\n\n{{"spec": {{"containers": [{{"name": "a", "image": "b"}}]}}}}',
    f'PATCH\n{_POD}?fieldManager=m&force=true\n{patch.APPLY[0]}\n\nmetadata: {{labels: {{a: b}}}}',
    f'PUT\n{_POD}\napplication/json\n\n{{"metadata": {{"name": "p"}}, "spec": {{"containers": []}}}}',
    'POST\n/api/v1/namespaces/default/pods?dryRun=All\napplication/json\n\n{"metadata": {"name": "q"}}',
    f'DELETE\n{_POD}\napplication/json\n\n{{"gracePeriodSeconds": 5, "preconditions": {{"uid": "x"}}}}',
    f'POST\n{_POD}/eviction\napplication/json\n\n{{"metadata": {{"name": "p"}}, "deleteOptions": {{}}}}',
    "DELETE\n/api/v1/namespaces/default/pods?labelSelector=a",
    "GET\n/apis/events.k8s.io/v1/events?fieldSelector=regarding.name%3Dp",
    "GET\n/apis/metrics.k8s.io/v1beta1/nodes",
    "GET\n/apis/coordination.k8s.io/v1/leases",
    'POST\n/apis/authorization.k8s.io/v1/selfsubjectaccessreviews\napplication/json\n\n'
    '{"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}',
    "GET\n/metrics",
    "GET\n/healthz?verbose",
    "GET\n/openapi/v3/api/v1?hash=x",
]  # fmt: skip


def _patch(data: bytes) -> None:
    """The first byte chooses the kind of patch."""
    kind = (patch.MERGE, patch.STRATEGIC, patch.JSON_PATCH, "text/plain")[(data or b"\0")[0] % 4]
    try:
        body = json.loads(data[1:])
    except (ValueError, RecursionError):
        return
    one = {"metadata": {"name": "p", "finalizers": ["a"], "labels": {}}, "spec": {"containers": [{"name": "a"}]}}
    before = json.dumps(one)
    try:
        patch.patched(one, kind, body)
    except Failure:
        pass
    assert json.dumps(one) == before


def _selector(data: bytes) -> None:
    text = data.decode(errors="replace")
    for make, one in ((label_selector, {"app": "web", "n": "3"}), (lambda t: field_selector(t, "pods"), {"spec": {}})):
        try:
            make(text)(one)  # type: ignore[operator]
        except Failure:
            pass


def _jsonpath(data: bytes) -> None:
    tree = {"items": [{"a": {"b.c": 1}, "type": "Ready"}, None, "x"], "n": 1}
    try:
        fill(data.decode(errors="replace"), tree)
    except UsageError:
        return


def _spdy(data: bytes) -> None:
    pieces = [data[at : at + 700] for at in range(0, len(data), 700)]

    async def talk() -> None:
        try:
            async for stream in Session(Wire(*pieces)).streams():
                await stream.send(b"x")
                await stream.close()
        except (Malformed, OSError):
            return

    within(talk)
    within(lambda: over_spdy(Wire(*pieces)))


def _frames() -> list[bytes]:
    peer = Peer()
    peer.open(1, streamtype="error", port="80", requestid="0")
    peer.data(1, b"", FIN)
    peer.open(3, streamtype="data", port="80", requestid="0")
    peer.data(3, b"some data")
    peer.control(PING, b"\0\0\0\7")
    peer.control(RST_STREAM, struct.pack(">II", 3, 5))
    return [b"".join(peer.sent)]


def _websocket(data: bytes) -> None:
    async def talk() -> None:
        socket = WebSocket(Wire(data[:50], data[50:]))
        while await socket.receive() is not None:
            await socket.send(b"x")

    async def forward() -> None:
        await over_channels(Wire(data), [])

    within(talk)
    within(forward)


def _masked(kind: int, data: bytes) -> bytes:
    return bytes((0x80 | kind, 0x80 | len(data))) + bytes(4) + data


def _control(data: bytes) -> None:
    engine = running()
    try:
        request = json.loads(data)
        if isinstance(request, dict) and request.get("verb") != "signal":  # the pids of this pod are made up
            json.dumps(routes.answer(engine, request))
    except (ValueError, RecursionError):
        return
    finally:
        engine.node.close()  # type: ignore[attr-defined]
        engine.journal.close()


_LINES = [
    {"verb": "get"}, {"verb": "events"}, {"verb": "health", "what": "ready"}, {"verb": "facts"}, {"verb": "processes"},
    {"verb": "restart", "container": "a"}, {"verb": "delete", "grace": 5, "now": True},
    {"verb": "apply", "manifest": {"pod": {"metadata": {"name": "p"}, "spec": {}}, "settings": {}}, "replace": True},
]  # fmt: skip

TARGETS = {
    "http": Target(_http, [
        b"GET /api/v1/pods HTTP/1.1\r\nHost: x\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        b"3\r\nabc\r\n0\r\n\r\n",
        b"HEAD /healthz HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
    ]),
    "request": Target(_request, [text.encode() for text in _REQUESTS]),
    "patch": Target(_patch, [
        b'\0{"metadata": {"labels": {"a": "b", "name": null}}}',
        b'\1{"spec": {"containers": [{"name": "a", "env": [{"name": "A"}]}, {"$patch": "delete", "name": "b"}], '
        b'"$setElementOrder/containers": [{"name": "a"}]}, "$deleteFromPrimitiveList/finalizers": ["a"], '
        b'"$retainKeys": ["spec"]}',
        b'\2[{"op": "add", "path": "/metadata/labels/a~1b", "value": 1}, {"op": "remove", "path": "/spec/volumes/0"},'
        b'{"op": "move", "from": "/spec", "path": "/a"}, {"op": "test", "path": "/metadata/name", "value": "p"}]',
    ]),
    "selector": Target(_selector, [b"app=web,tier in (a,b),!old,n>2,n notin (3)", b"metadata.name=p,spec.nodeName!=x"]),
    "jsonpath": Target(_jsonpath, [
        b'{range .items[*]}{.a[\'b.c\']}{"\\n"}{end}', b"{.items[?(@.type==\"Ready\")].a.b\\.c} {.items[-1]}", b".n",
    ]),
    "spdy": Target(_spdy, _frames()),
    "websocket": Target(_websocket, [
        _masked(2, b"\0ab") + _masked(9, b"p") + _masked(1, b"t") + _masked(8, b"\3\xe8"),
    ]),
    "control": Target(_control, [json.dumps(line).encode() for line in _LINES]),
}  # fmt: skip
