from __future__ import annotations

import ssl
import time

import anyio
import anyio.lowlevel
import pytest

from initsup.node.hook_attempt import HookOutcome, hook
from initsup.spec.probe import (
    ExecAction,
    HTTPGetAction,
    HTTPHeader,
    LifecycleHandler,
    SleepAction,
    TCPSocketAction,
)
from tests.node.attempt_world import (
    LocalRunner,
    Scripted,
    env,
    free_port,
    open_files,
    response,
    saying,
    serving,
    silence,
    target,
)

pytestmark = pytest.mark.anyio


async def run(*argv: str) -> HookOutcome:
    return await hook(LocalRunner(), target(env=env(A="1")), LifecycleHandler(exec=ExecAction(command=argv)))


async def fetch(port: int | str, **fields: object) -> HookOutcome:
    action = HTTPGetAction(port=port, **fields)  # type: ignore[arg-type]
    return await hook(LocalRunner(), target(), LifecycleHandler(http_get=action))


WHERE = 'for Container "main" in Pod "web_default(POD-UID)" failed - error: '


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param("echo fine", "", id="exit code 0"),
        pytest.param(
            "echo hook says; exit 7",
            f"Exec lifecycle hook ([/bin/sh -c echo hook says; exit 7]) {WHERE}"
            r"""command '/bin/sh -c echo hook says; exit 7' exited with 7: , message: "hook says\n"""
            '"',
            id="another exit code, with stdout",
        ),
        pytest.param(
            "echo a; echo b >&2; exit 1",
            f"Exec lifecycle hook ([/bin/sh -c echo a; echo b >&2; exit 1]) {WHERE}"
            "command '/bin/sh -c echo a; echo b >&2; exit 1' exited with 1: b\n"
            r""", message: "a\nb\n"""
            '"',
            id="stderr stands in both places",
        ),
        pytest.param(
            "kill -9 $$",
            f"Exec lifecycle hook ([/bin/sh -c kill -9 $$]) {WHERE}"
            "command '/bin/sh -c kill -9 $$' exited with 137: , message: \"\"",
            id="a signal",
        ),
        pytest.param('test "$(A)" = 1', None, id="variables are the shell's business"),
    ],
)
async def test_exec(script: str, message: str | None) -> None:
    outcome = await run("/bin/sh", "-c", script)
    if message is None:
        assert "$(A)" in outcome.message
    else:
        assert outcome == HookOutcome(not message, message)


async def test_a_command_that_cannot_run() -> None:
    text = 'failed to exec in container: unable to start container process: exec: "/nope": no such file or directory'
    assert await run("/nope", "x") == HookOutcome(False, f'Exec lifecycle hook ([/nope x]) {WHERE}{text}, message: ""')


async def test_cancelling_a_hook_kills_everything_it_started() -> None:
    runner = LocalRunner()
    results: list[HookOutcome] = []
    before = open_files()

    async def keep() -> None:
        command = ("/bin/sh", "-c", "trap '' TERM; setsid sleep 1000 & sleep 1000")
        results.append(await hook(runner, target(), LifecycleHandler(exec=ExecAction(command=command))))

    async with anyio.create_task_group() as group:
        group.start_soon(keep)
        with anyio.fail_after(5):
            while len(runner.survivors()) < 3:
                await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert runner.survivors() == []
    assert results == []
    assert open_files() == before


@pytest.mark.parametrize("status", [200, 302, 404, 500])
async def test_any_response_is_a_success(status: int) -> None:
    server = Scripted(response(status))
    async with serving(server) as port:
        assert await fetch(port, path="/echo?msg=stop") == HookOutcome(True)
    assert server.requests[0].startswith(f"GET /echo?msg=stop HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n")
    assert "User-Agent: kube-lifecycle/1.36\r\n" in server.requests[0]


async def test_a_body_that_breaks_off_does_not_matter() -> None:
    async with serving(Scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")) as port:
        assert await fetch(port) == HookOutcome(True)


async def test_a_body_that_never_ends_does_not_matter() -> None:
    async with serving(saying(b"HTTP/1.1 200 OK\r\n\r\nendless")) as port:
        with anyio.fail_after(5):
            assert await fetch(port) == HookOutcome(True)


@pytest.mark.parametrize(
    ("port", "reason"),
    [
        pytest.param("nope", 'strconv.Atoi: parsing "nope": invalid syntax', id="no such port"),
        pytest.param(
            None,
            'Get "http://127.0.0.1:PORT/x": dial tcp 127.0.0.1:PORT: connect: connection refused',
            id="nobody there",
        ),
    ],
)
async def test_http_that_fails(port: str | None, reason: str) -> None:
    number = free_port()
    outcome = await fetch(port or number, path="/x")
    assert outcome == HookOutcome(False, f"HTTP lifecycle hook (/x) {WHERE}{reason.replace('PORT', str(number))}")


async def test_https(server_tls: ssl.SSLContext) -> None:
    async with serving(Scripted(response(500)), server_tls) as port:
        assert await fetch(port, scheme="HTTPS") == HookOutcome(True)


async def test_https_falls_back_to_a_plain_server_without_the_password() -> None:
    class Plain(Scripted):
        async def __call__(self, reader: object, writer: object) -> None:
            first = await reader.read(3)  # type: ignore[attr-defined]
            if first == b"GET":
                await super().__call__(reader, writer)  # type: ignore[arg-type]
            else:
                writer.write(response(400))  # type: ignore[attr-defined]

    server = Plain(response(200))
    async with serving(server) as port:
        outcome = await fetch(port, scheme="HTTPS", http_headers=(HTTPHeader(name="Authorization", value="secret"),))
    note = f"request to HTTPS lifecycle hook 127.0.0.1:{port} got HTTP response, retry with HTTP succeeded"
    assert outcome == HookOutcome(True, note)
    assert len(server.requests) == 1
    assert "secret" not in server.requests[0]


async def test_a_fall_back_that_fails_tells_the_first_error() -> None:
    answers = [response(400), b""]

    async def once(reader: object, writer: object) -> None:
        await reader.read(3)  # type: ignore[attr-defined]
        writer.write(answers.pop(0))  # type: ignore[attr-defined]

    async with serving(once) as port:
        outcome = await fetch(port, scheme="HTTPS")
    text = f'Get "https://127.0.0.1:{port}/": http: server gave HTTP response to HTTPS client'
    assert outcome == HookOutcome(False, f"HTTP lifecycle hook (/) {WHERE}{text}")


async def test_http_has_no_time_out_of_its_own() -> None:
    async with serving(silence) as port:
        with anyio.move_on_after(1.5) as scope:
            await fetch(port)
    assert scope.cancelled_caught


@pytest.mark.parametrize("seconds", [0, 1])
async def test_sleep(seconds: int) -> None:
    started = time.monotonic()
    outcome = await hook(LocalRunner(), target(), LifecycleHandler(sleep=SleepAction(seconds=seconds)))
    assert outcome == HookOutcome(True)
    assert seconds <= time.monotonic() - started < seconds + 0.5


@pytest.mark.parametrize(
    ("handler", "printed"),
    [
        pytest.param(
            LifecycleHandler(tcp_socket=TCPSocketAction(port=8080)),
            "Exec:nil,HTTPGet:nil,TCPSocket:&TCPSocketAction{Port:{0 8080 },Host:,},Sleep:nil,",
            id="tcpSocket by number",
        ),
        pytest.param(
            LifecycleHandler(tcp_socket=TCPSocketAction(port="web", host="h")),
            "Exec:nil,HTTPGet:nil,TCPSocket:&TCPSocketAction{Port:{1 0 web},Host:h,},Sleep:nil,",
            id="tcpSocket by name",
        ),
        pytest.param(LifecycleHandler(), "Exec:nil,HTTPGet:nil,TCPSocket:nil,Sleep:nil,", id="nothing at all"),
    ],
)
async def test_what_cannot_be_a_hook(handler: LifecycleHandler, printed: str) -> None:
    text = f"Cannot run handler: invalid handler: &LifecycleHandler{{{printed}}}"
    assert await hook(LocalRunner(), target(), handler) == HookOutcome(False, text)
