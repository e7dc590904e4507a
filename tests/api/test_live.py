"""A real pod, asked over raw HTTP: what no client library would send, and what all of them need."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from initsup.api.exchange import MAX_WARNINGS, Reply, Request, warned
from tests.api.live import Live, descriptors, exchange, send

pytestmark = pytest.mark.real
PODS = "/api/v1/namespaces/default/pods"


# -- nobody comes -----------------------------------------------------------------------------------------------------


def test_without_a_client_nothing_of_it_is_imported(tmp_path: Path) -> None:
    run = Live(tmp_path)
    heavy = {"h11._connection", "initsup.api.failure", "initsup.api.guard", "wsproto", "prometheus_client", "psutil"}
    try:
        run.until(lambda: (run.state / "logs/app/0.log").exists())
        # What import_module imports is not on the list, but what that imports is.
        assert not run.imported & heavy
        run.ask("/livez")
        assert run.imported & heavy == {"h11._connection", "initsup.api.failure", "initsup.api.guard"}
    finally:
        run.stop()


def test_what_has_secrets_is_for_our_eyes_only(live: Live) -> None:
    for name in ("kubeconfig", "api.sock", "control.sock"):
        assert stat.S_IMODE(os.stat(live.state / name).st_mode) == 0o600


def test_an_address_that_cannot_be_had_starts_nothing(tmp_path: Path, live: Live) -> None:
    (tmp_path / "p.toml").write_text(f'[[containers]]\nname = "a"\ncommand = ["touch", "{tmp_path}/started"]\n')
    host, port = live.address
    words = ["run", f"{tmp_path}/p.toml", "--state-dir", f"{tmp_path}/s", "--listen", f"{host}:{port}"]
    done = subprocess.run([sys.executable, "-m", "initsup", *words], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert f"cannot listen at {host}:{port}: Address already in use" in done.stderr
    assert not (tmp_path / "started").exists()


def test_exec_of_a_program_that_is_not_there(live: Live) -> None:
    words = ["exec", "--state-dir", str(live.state), "-c", "app", "--", "no-such-program"]
    done = subprocess.run([sys.executable, "-m", "initsup", *words], capture_output=True, text=True, timeout=30)
    assert done.stderr == 'initsup: exec: "no-such-program": executable file not found in $PATH\n'
    assert done.returncode == 126


# -- who may ask ------------------------------------------------------------------------------------------------------


def over_tcp(live: Live, path: str, *headers: str) -> int:
    head = "".join(f"{line}\r\n" for line in headers)
    return exchange(live.tcp(), f"GET {path} HTTP/1.1\r\nConnection: close\r\n{head}\r\n".encode())[0]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("/livez", 200, id="it lives"),
        *(
            pytest.param(path, 401, id=path)
            for path in ("/", "/readyz", "/healthz", "/version", "/metrics", "/api", "/apis", PODS, "/nothing",
                         f"{PODS}/live/exec?command=id&stdout=1", "/openapi/v3", "//livez", "/livez/../api")
        ),
    ],
)  # fmt: skip
def test_without_the_token_only_livez_answers(live: Live, path: str, code: int) -> None:
    assert over_tcp(live, path, "Host: 127.0.0.1") == code


STRANGER = """
import os, socket, sys
path, data = sys.argv[1:]
os.setresuid(65534, 65534, 65534)
one = socket.socket(socket.AF_UNIX)
one.connect(path)
try:
    one.sendall(data.encode())
    print(one.recv(100))
except OSError:
    print(b"")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("api.sock", "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", id="the API"),
        pytest.param("control.sock", '{"verb": "get"}\n', id="the control socket"),
    ],
)
def test_another_user_is_not_heard_even_where_the_mode_lets_him_in(live: Live, name: str, data: str) -> None:
    modes = {path: os.stat(path).st_mode for path in (live.state / name, *_up_to_root(live.state))}
    try:
        for path, mode in modes.items():
            os.chmod(path, stat.S_IMODE(mode) | 0o777)
        words = [sys.executable, "-Ic", STRANGER, str(live.state / name), data]
        assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "b''\n"
    finally:
        for path, mode in modes.items():
            os.chmod(path, stat.S_IMODE(mode))


def _up_to_root(path: Path) -> list[Path]:
    """The directories that hide the sockets from others."""
    return [one for one in (path, *path.parents) if not os.stat(one).st_mode & 0o001]


def test_with_the_token_all_does(live: Live) -> None:
    assert over_tcp(live, "/api", "Host: 127.0.0.1", f"Authorization: Bearer {live.token}") == 200


def test_a_name_that_was_made_to_point_here_does_not_help(live: Live) -> None:
    assert over_tcp(live, "/livez", "Host: rebound.example") == 400


def test_other_sites_are_kept_out(live: Live) -> None:
    words = (f"Authorization: Bearer {live.token}", "Host: 127.0.0.1", "Origin: https://evil.example")
    assert over_tcp(live, "/api", *words) == 403


def test_plain_http_gets_nothing(live: Live) -> None:
    with socket.create_connection(live.address, timeout=20) as plain:
        plain.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP" not in plain.recv(4096)


# -- what is sent -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"nonsense\r\n\r\n", 400, id="no HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, id="TLS where none is spoken"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(b"GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, id="for a proxy"),
        pytest.param(b"GET /%ff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, id="a path that is no UTF-8"),
        pytest.param(b"GET /" + b"a" * 70000, 431, id="a line without an end"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70000, 431, id="a header without an end"),
        pytest.param(
            b"POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n", 413, id="too much is told"
        ),
        pytest.param(
            b"POST /api HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            + (b"10000\r\n" + bytes(65536) + b"\r\n") * 50,
            413,
            id="too much is sent",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            405,
            id="two lengths: chunked holds",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400, id="which?"
        ),
        pytest.param(b"GET /?" + b"a=1&" * 2000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, id="a long query"),
    ],
)
def test_malformed_and_oversized_requests(live: Live, data: bytes, code: int) -> None:
    answer = b""
    with live.unix() as connection:
        send(connection, data)
        try:
            while b"\r\n" not in answer and (piece := connection.recv(4096)):
                answer += piece
        except ConnectionResetError:
            pass
    assert answer.split()[1:2] == [str(code).encode()]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/api/v1", id="an answer"),
        pytest.param(f"{PODS}/nobody", id="a refusal"),
        pytest.param("/%ff", id="a path that is none"),
        pytest.param(f"{PODS}?watch=1", id="a watch"),
    ],
)
def test_head_is_answered_without_a_body(live: Live, path: str) -> None:
    code, body = exchange(live.unix(), f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert (code // 100, body) in ((2, b""), (4, b""))


def test_head_of_a_log_leaves_nothing_open(live: Live) -> None:
    before = descriptors(live.process.pid)
    for _ in range(10):
        assert live.ask(f"{PODS}/live/log?container=app", "HEAD") == (200, "")
    live.until(lambda: descriptors(live.process.pid) < before + 10)


@pytest.mark.parametrize(
    "path",
    [
        f"{PODS}/..%2f..%2f..%2fetc%2fpasswd",
        f"{PODS}/live/log?container=..%2f..%2fjournal.jsonl",
        f"{PODS}/live/log?container=/etc/passwd",
        "/openapi/v3/../../../etc/passwd",
        "/api/v1/namespaces/../../etc",
    ],
)
def test_no_path_leads_out(live: Live, path: str) -> None:
    code, answer = live.ask(path)
    assert code in (400, 404)
    assert answer["kind"] == "Status"


def test_a_client_that_dawdles_hinders_nobody(live: Live) -> None:
    slow = [live.unix() for _ in range(50)]
    for connection in slow:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHos")
    assert live.ask("/livez") == (200, "ok")
    for connection in slow:
        connection.close()


def test_a_client_that_does_not_read_hinders_nobody(live: Live) -> None:
    stuck = live.unix()
    stuck.sendall(f"GET {PODS}?watch=1 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    for number in range(50):
        assert live.ask(f"{PODS}/live", "PATCH", {"metadata": {"annotations": {"n": f"{number}" * 2000}}},
                        Content_Type="application/merge-patch+json")[0] == 200  # fmt: skip
    stuck.close()
    patch = {"metadata": {"annotations": {"n": None}}}
    assert live.ask(f"{PODS}/live", "PATCH", patch, Content_Type="application/merge-patch+json")[0] == 200


def test_a_client_that_goes_before_it_has_opened_its_streams_is_no_fault(live: Live) -> None:
    head = "HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
    with live.unix() as connection:
        connection.sendall(f"POST {PODS}/live/exec?command=true&container=app&stdout=1 {head}".encode())
        assert connection.recv(20).startswith(b"HTTP/1.1 101 ")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    assert live.faults == ""


def test_clients_that_leave_leave_nothing(live: Live) -> None:
    live.ask("/livez")
    before = descriptors(live.process.pid)
    paths = (f"{PODS}?watch=1", f"{PODS}/live/log?container=app&follow=1", "/livez")
    for path in paths * 5:
        connection = live.unix()
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        connection.recv(100)
        connection.close()
    live.until(lambda: descriptors(live.process.pid) <= before)


def exec_of(query: str) -> bytes:
    """The request for a command in `app` over a WebSocket."""
    return (
        f"GET {PODS}/live/exec?container=app&{query} HTTP/1.1\r\nHost: localhost\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("frame", "close"),
    [
        pytest.param(b"\x82\x01x", 1002, id="not masked"),
        pytest.param(b"\xff\x80\0\0\0\0", 1002, id="reserved bits"),
        pytest.param(b"\x89\xfe\xff\xff\0\0\0\0", 1002, id="a ping that is too long"),
        pytest.param(b"\x80\x80\0\0\0\0", 1002, id="the rest of nothing"),
    ],
)
def test_malformed_websocket_frames(live: Live, frame: bytes, close: int) -> None:
    with live.unix() as connection:
        connection.sendall(exec_of("command=cat&stdin=1&stdout=1"))
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 101")
        connection.sendall(frame)
        rest = answer.partition(b"\r\n\r\n")[2]
        while piece := connection.recv(4096):
            rest += piece
    assert rest[:4] == b"\x88\x02" + close.to_bytes(2) or rest[:1] == b"\x88"


def ran(live: Live, query: str) -> bytes:
    """What comes back from a command, frames and all."""
    with live.unix() as connection:
        connection.sendall(exec_of(query))
        answer = b""
        while b"}\x88" not in answer and (piece := connection.recv(4096)):  # the status, and the closing frame
            answer += piece
    return answer


def test_a_command_on_a_terminal_knows_what_that_can_do(live: Live) -> None:
    words = "command=sh&command=-c&command=echo+T%3D%24TERM&stdout=1"
    assert b"T=xterm\r\n" in ran(live, f"{words}&tty=1")
    assert b"T=\n" in ran(live, words)


def test_a_command_that_cannot_be_started_is_told_as_kubelet_does(live: Live) -> None:
    answer = ran(live, "command=no-such-program&stdout=1")
    status = json.loads(answer[answer.index(b"\x03{") + 1 : answer.rindex(b"}") + 1])
    why = 'error executing command in container: exec: "no-such-program": executable file not found in $PATH'
    assert status["message"] == f"Internal error occurred: {why}"
    assert status["details"] == {"causes": [{"message": why}]}


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Sec-WebSocket-Key", "short"),
        ("Sec-WebSocket-Version", "12"),
        ("Sec-WebSocket-Protocol", "chat"),
    ],
)
def test_a_malformed_handshake_is_told(live: Live, header: str, value: str) -> None:
    headers = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": "v5.channel.k8s.io",
    } | {header: value}  # fmt: skip
    lines = "".join(f"{name}: {word}\r\n" for name, word in headers.items())
    path = f"{PODS}/live/exec?container=app&command=id&stdout=1"
    code, body = exchange(live.unix(), f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
    assert (code, json.loads(body)["reason"]) == (400, "BadRequest")


# -- what is answered -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "code", "message"),
    [
        pytest.param("GET", f"{PODS}/none", 404, 'pods "none" not found', id="no such pod"),
        pytest.param("GET", "/api/v1/namespaces/x/pods/live", 404, 'pods "live" not found', id="another namespace"),
        pytest.param("GET", "/apis/apps/v1/deployments", 404, "could not find the requested", id="no such group"),
        pytest.param("GET", "/api/v2", 404, "could not find the requested", id="no such version"),
        pytest.param("GET", f"{PODS}/live/frob", 404, "could not find the requested", id="no such subresource"),
        pytest.param("POST", "/api/v1/nodes", 405, "does not allow this method", id="no verb"),
        pytest.param("GET", f"{PODS}?labelSelector=a+b", 400, "unable to parse requirement", id="a bad selector"),
        pytest.param("GET", f"{PODS}?fieldSelector=a%3Db", 400, "field label not supported: a", id="a bad field"),
        pytest.param("GET", f"{PODS}?watch=1&resourceVersion=1e9", 400, "a number is expected", id="no number"),
        pytest.param("GET", f"{PODS}?watch=1&resourceVersion=99999999999999", 504, "Too large", id="the future"),
        pytest.param("GET", f"{PODS}?watch=1&timeoutSeconds={9**400}", 400, "a number is expected", id="far too much"),
        pytest.param("GET", f"{PODS}/live/log", 400, "a container name must be specified", id="which container?"),
        pytest.param("GET", f"{PODS}/live/log?container=x", 400, "container x is not valid for pod live", id="not it"),
        pytest.param(
            "GET", f"{PODS}/live/log?container=app&previous=1", 400,
            'previous terminated container "app" in pod "live" not found', id="no run before",
        ),
        pytest.param("GET", f"{PODS}/live/log?container=app&tailLines=-1", 422, "greater than or equal", id="tail"),
        pytest.param("GET", f"{PODS}/live/log?container=app&limitBytes=0", 422, "must be greater than 0", id="limit"),
        pytest.param("GET", f"{PODS}/live/log?container=app&sinceTime=now", 400, "RFC 3339 is expected", id="since"),
        pytest.param("GET", f"{PODS}/live/exec?container=app&stdout=1&command=x", 400, "Upgrade request", id="exec"),
    ],
)  # fmt: skip
def test_refusals_are_the_api_servers(live: Live, method: str, path: str, code: int, message: str) -> None:
    found, status = live.ask(path, method)
    assert (found, status["code"], status["kind"]) == (code, code, "Status")
    assert message in status["message"]


def test_numbers_are_as_large_as_kubernetes_has_them(live: Live) -> None:
    most = 2**63 - 1
    assert live.ask(f"{PODS}/live/log?container=app&sinceSeconds={most}")[0] == 200
    for grace, code in ((most, 200), (most + 1, 400)):
        assert live.ask(f"{PODS}/live?dryRun=All", "DELETE", {"gracePeriodSeconds": grace})[0] == code


def watch(live: Live, query: str) -> list[Any]:
    connection = live.unix()
    head = f"GET {PODS}?watch=1&timeoutSeconds=1&{query} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    return [json.loads(line) for line in exchange(connection, head.encode())[1].splitlines()]


def test_a_watch_begins_with_what_is_there(live: Live) -> None:
    assert [event["type"] for event in watch(live, "")] == ["ADDED"]


def test_a_watch_from_a_version_begins_with_what_comes_after(live: Live) -> None:
    version = live.ask(PODS)[1]["metadata"]["resourceVersion"]
    assert watch(live, f"resourceVersion={version}") == []


def test_an_old_version_is_expired(live: Live) -> None:
    (event,) = watch(live, "resourceVersion=1")
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


def test_a_watch_list_ends_its_beginning_with_a_bookmark(live: Live) -> None:
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    first, mark, _ = watch(live, query)
    assert (first["type"], mark["type"]) == ("ADDED", "BOOKMARK")
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_what_stops_to_match_is_deleted_for_the_watch(live: Live) -> None:
    version = live.ask(PODS)[1]["metadata"]["resourceVersion"]
    merge = "application/merge-patch+json"
    for value in ("x", None):
        patch = {"metadata": {"labels": {"odd": value}}}
        assert live.ask(f"{PODS}/live", "PATCH", patch, Content_Type=merge)[0] == 200
    kinds = [event["type"] for event in watch(live, f"resourceVersion={version}&labelSelector=odd%3Dx")]
    assert kinds == ["ADDED", "DELETED"]


@pytest.mark.parametrize(
    ("patch", "code", "message"),
    [
        pytest.param({"spec": {"hostname": "z"}}, 422, "pod updates may not change fields other than", id="the spec"),
        pytest.param({"spec": {"activeDeadlineSeconds": -1}}, 422, "", id="a deadline in the past"),
        pytest.param({"spec": None}, 422, "", id="no spec at all"),
        pytest.param({"metadata": {"labels": {"a b": "c"}}}, 422, "name part must consist of", id="no label"),
        pytest.param({"metadata": {"labels": {"a": 1}}}, 400, "must have words as values", id="a number"),
        pytest.param({"metadata": {"name": "other"}}, 400, "does not match", id="another name"),
        pytest.param({"metadata": {"uid": "other"}}, 409, "Precondition failed", id="another object"),
        pytest.param({"metadata": {"resourceVersion": "1"}}, 409, "the object has been modified", id="too late"),
        pytest.param({"spec": {"bogus": 1}}, 400, 'unknown field "spec.bogus"', id="no such field"),
        pytest.param({"metadata": {"lables": {}}}, 400, 'unknown field "metadata.lables"', id="none beside the spec"),
    ],
)
def test_what_may_not_change(live: Live, patch: Any, code: int, message: str) -> None:
    path = f"{PODS}/live?fieldValidation=Strict"
    found, status = live.ask(path, "PATCH", patch, Content_Type="application/merge-patch+json")
    assert (found, message in status["message"]) == (code, True), status


UNKNOWN = ['299 - "unknown field \\"spec.x\\""', '299 - "unknown field \\"bogus\\""']


@pytest.mark.parametrize(
    ("query", "warnings"),
    [
        pytest.param("", UNKNOWN, id="said"),
        pytest.param("?fieldValidation=Warn", UNKNOWN, id="said on request"),
        pytest.param("?fieldValidation=Ignore", [], id="ignored"),
    ],
)
def test_the_client_is_warned_of_fields_that_are_not_known(live: Live, query: str, warnings: list[str]) -> None:
    body = json.dumps({"bogus": 1, "spec": {"x": 1}}).encode()
    head = f"PATCH {PODS}/live{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += f"Content-Type: application/merge-patch+json\r\nContent-Length: {len(body)}\r\n\r\n"
    with live.unix() as connection, connection.makefile("rb") as answer:
        connection.sendall(head.encode() + body)
        assert b" 200 " in answer.readline()
        lines = [line.decode().strip() for line in iter(answer.readline, b"\r\n")]
    assert [line.partition(": ")[2] for line in lines if line.startswith("Warning: ")] == warnings


def test_of_many_unknown_fields_one_is_told(live: Live) -> None:
    body = {"metadata": {"name": "o"}, "spec": {f"x{number}": 1 for number in range(101)}}
    code, status = live.ask(PODS, "POST", body)
    assert (code, status["message"]) == (400, "more than 100 fields are not known, the first is spec.x0")


def test_warnings_are_written_so_that_they_are_read() -> None:
    told = ['a "b" \\c\n\xe4', "x" * (MAX_WARNINGS - 10), "too much"]
    first, second = warned(Reply(), Request(method="GET", path="/", warnings=told)).headers
    assert first == ("Warning", r'299 - "a \"b\" \\c??"')
    assert second == ("Warning", f'299 - "{told[1]}"')


@pytest.mark.parametrize(
    ("method", "query", "kind", "message"),
    [
        pytest.param("PATCH", "dryRun=x", "PatchOptions", 'dryRun: Unsupported value: "x": supported values: "All"',
                     id="half a dry run"),
        pytest.param("PUT", "fieldValidation=x", "UpdateOptions", 'fieldValidation: Unsupported value: "x": '
                     'supported values: "Ignore", "Strict", "Warn"', id="how strict?"),
        pytest.param("DELETE", "dryRun=All&dryRun=x", "DeleteOptions", "dryRun: Unsupported value", id="two dry runs"),
    ],
)  # fmt: skip
def test_what_a_change_may_not_be_asked_with(live: Live, method: str, query: str, kind: str, message: str) -> None:
    code, status = live.ask(f"{PODS}/live?{query}", method, {}, Content_Type="application/merge-patch+json")
    assert (code, status["reason"]) == (422, "Invalid")
    assert status["message"].startswith(f'{kind}.meta.k8s.io "" is invalid: {message}')


def nested(levels: int) -> Any:
    """Lists and objects in turn, as deep as this."""
    tree: Any = "x"
    for level in range(levels):
        tree = [tree] if level % 2 else {"name": "a", "env": tree}
    return tree


@pytest.mark.parametrize("form", ["merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"])
@pytest.mark.parametrize("path", [f"{PODS}/live", f"{PODS}/live/ephemeralcontainers",
                                  "/api/v1/namespaces/default/configmaps/settings"])  # fmt: skip
def test_what_is_nested_as_deep_as_may_be_is_no_fault(live: Live, path: str, form: str) -> None:
    tree = {"metadata": {"annotations": {"a": nested(197)}}, "spec": {"containers": nested(196)}}
    code, status = live.ask(f"{path}?fieldManager=m", "PATCH", tree, Content_Type=f"application/{form}")
    assert code < 500, status
    patch = [{"op": "add", "path": "/spec", "value": {"x": nested(197)}}, {"op": "move", "from": "/spec", "path": "/a"},
             {"op": "copy", "from": "", "path": "/a/x/b"}]  # fmt: skip
    assert 400 <= live.ask(path, "PATCH", patch, Content_Type="application/json-patch+json")[0] < 500


def test_who_evicts_another_pod_is_told(live: Live) -> None:
    code, status = live.ask(f"{PODS}/live/eviction?dryRun=All", "POST", {"metadata": {"name": "other"}})
    assert (code, status["message"]) == (400, "name in URL does not match name in Eviction object")


def test_a_dry_run_changes_nothing(live: Live) -> None:
    patch = {"metadata": {"labels": {"dry": "run"}}}
    code, pod = live.ask(f"{PODS}/live?dryRun=All", "PATCH", patch, Content_Type="application/merge-patch+json")
    assert (code, pod["metadata"]["labels"]["dry"]) == (200, "run")
    assert live.ask(f"{PODS}/live?dryRun=All", "DELETE")[0] == 200
    pod = live.ask(f"{PODS}/live")[1]
    assert "dry" not in pod["metadata"]["labels"]
    assert "deletionTimestamp" not in pod["metadata"]


@pytest.mark.parametrize(
    ("pod", "code", "message"),
    [
        pytest.param({"metadata": {"name": "live"}}, 409, 'pods "live" already exists', id="it is there"),
        pytest.param({"metadata": {"name": "other"}}, 403, 'pods "other" is forbidden', id="one pod is all"),
        pytest.param({"metadata": {"name": "O_x"}}, 422, "RFC 1123", id="no name"),
        pytest.param({"metadata": {"name": "o"}, "spec": {"x": 1}}, 400, 'unknown field "spec.x"', id="no field"),
        pytest.param({"metadata": {"name": "o"}, "spec": {"containers": 1}}, 400, "cannot be handled", id="no pod"),
        pytest.param([], 400, "", id="nothing of the kind"),
    ],
)
def test_another_pod_is_refused(live: Live, pod: Any, code: int, message: str) -> None:
    found, status = live.ask(f"{PODS}?fieldValidation=Strict", "POST", pod)
    assert (found, message in status["message"]) == (code, True), status


def test_events_in_the_new_form_have_all_that_it_requires(live: Live) -> None:
    for new in live.ask("/apis/events.k8s.io/v1/namespaces/default/events")[1]["items"]:
        old = live.ask(f"/api/v1/namespaces/default/events/{new['metadata']['name']}")[1]
        assert (new["regarding"], new["note"]) == (old["involvedObject"], old["message"])
        assert new["eventTime"] == old["firstTimestamp"].replace("Z", ".000000Z")
        assert new["action"]
        assert new["reportingController"]


def test_health_check_by_check(live: Live) -> None:
    code, told = live.ask("/readyz?verbose")
    assert (code, told.splitlines()[-1]) == (200, "readyz check passed")
    assert "[+]container/app ok" in told


def test_figures_for_machines(live: Live) -> None:
    code, told = live.ask("/metrics", Accept="application/openmetrics-text;version=1.0.0")
    assert code == 200
    assert 'kube_pod_container_status_restarts_total{container="app",namespace="default",pod="live"} 0.0' in told
    assert told.endswith("# EOF\n")


GROUPS = ("/api/v1", "/apis/metrics.k8s.io/v1beta1", "/apis/events.k8s.io/v1", "/apis/coordination.k8s.io/v1")


@pytest.mark.parametrize("group", GROUPS)
def test_each_resource_is_listed_in_each_form(live: Live, group: str) -> None:
    listed = [one for one in live.ask(group)[1]["resources"] if "list" in one["verbs"]]
    assert listed
    for one in listed:
        code, found = live.ask(f"{group}/{one['name']}")
        version = group.removeprefix("/apis/").removeprefix("/api/")
        assert (code, found["kind"], found["apiVersion"]) == (200, f"{one['kind']}List", version)
        code, table = live.ask(f"{group}/{one['name']}", Accept="application/json;as=Table;v=v1;g=meta.k8s.io")
        assert (code, table["kind"], len(table["rows"])) == (200, "Table", len(found["items"]))
        widths = {len(row["cells"]) for row in table["rows"]}
        assert widths <= {len(table["columnDefinitions"])}
        form = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
        code, metadata = live.ask(f"{group}/{one['name']}", Accept=form)
        assert (code, metadata["kind"]) == (200, "PartialObjectMetadataList")
        assert {tuple(item) for item in metadata["items"]} <= {("kind", "apiVersion", "metadata")}


# -- real clients -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not on PATH")
def test_kubectl_works(live: Live) -> None:
    def kubectl(*words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "initsup", "kubectl", "--state-dir", str(live.state), *words],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done.stdout

    assert kubectl("get", "pods", "--no-headers").split()[:3] == ["live", "2/2", "Running"]
    assert "Events:" in kubectl("describe", "pod", "live")
    assert kubectl("logs", "live", "-c", "app", "--tail=1") in ("one\n", "two\n")
    assert kubectl("exec", "live", "-c", "app", "--", "sh", "-c", "echo $GREETING") == "hello\n"
    kubectl("exec", "live", "-c", "app", "--", "sh", "-c", "exit 7", code=7)
    assert "condition met" in kubectl("wait", "pod/live", "--for=condition=Ready", "--timeout=10s")
