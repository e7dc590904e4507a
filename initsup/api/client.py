"""The other side of `api.server`: how verbs ask a running initsup, or the files that it left behind.

One JSON object a line over STATE/control.sock, descriptors beside the first byte. Stdlib only: every verb pays for
this module's imports.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

from initsup.api.files import EVENTS, JOURNAL, LOCK, POD, SOCKET, places
from initsup.errors import InitsupError, UsageError

PATIENCE = 2.0
"""Seconds that a verb waits for an initsup that is there and does not listen: it is starting, or about to be gone."""
_PAUSE = 0.01


def state_dirs() -> list[str]:
    """All state directories in the usual places, in the order of their names."""
    found = []
    for place in places():
        try:
            found += [entry.path for entry in os.scandir(place) if entry.is_dir()]
        except OSError:
            continue
    return sorted(found, key=os.path.basename)


def find_state_dir(given: str | None, name: str | None = None) -> str:
    """The state directory that a verb means: the given one, that of a pod's name, or the only one there is.

    Of several the only one that runs is meant. Raises UsageError when it is not clear.
    """
    if given:
        return given
    every = state_dirs()
    there = [path for path in every if not name or os.path.basename(path) == name]
    found = [path for path in there if len(there) > 1 and _answers(path)] or there
    if len(found) == 1:
        return found[0]
    where = " or ".join(dict.fromkeys(map(os.path.dirname, every))) or places()[0]
    if name and not found:
        raise UsageError(f'pod "{name}" not found in {where}, is it running? (--state-dir DIR names another place)')
    if not found:
        raise UsageError(f"no pod found in {where}, start one with `initsup run FILE` or give --state-dir DIR")
    if name:
        raise UsageError(f"several places have one, name it by --state-dir: {', '.join(found)}")
    how = "several pods run here" if any(map(_answers, found)) else "none of the pods here runs"
    raise UsageError(f"{how}, name one: {', '.join(map(os.path.basename, found))}")


def get_pod(state_dir: str) -> dict[str, Any]:
    """The v1 Pod: live, or as it was at the end. Raises InitsupError when there is none."""
    return _ask_or_read(state_dir, "get", POD)


def get_events(state_dir: str) -> dict[str, Any]:
    """The v1 EventList: live, or as it was at the end. Raises InitsupError when there is none."""
    return _ask_or_read(state_dir, "events", EVENTS)


def watch(state_dir: str, what: str = "pod") -> Iterator[dict[str, Any]]:
    """The pod ("pod") or the EventList ("events") now and after each change, until initsup ends."""
    verb, file = ("get", POD) if what == "pod" else ("events", EVENTS)
    told: dict[str, Any] = {}
    try:
        with _ask(state_dir, {"verb": verb, "watch": True}) as stream:
            for line in stream:
                if line.endswith(b"\n"):
                    told = _checked(json.loads(line))
                    yield told
    except OSError:  # nobody is there, or initsup ended in the middle
        pass
    _until_free(state_dir)
    last = _read(state_dir, file)
    if last != told:
        yield last


def call(state_dir: str, verb: str, **arguments: Any) -> dict[str, Any]:
    """Ask for something to be done. Raises InitsupError with the answer's error, or when nobody is there."""
    try:
        stream = _ask(state_dir, {"verb": verb, **arguments})
    except OSError as problem:
        raise _nobody(state_dir, problem) from None
    with stream:
        return _answer(stream)


def exec_in(state_dir: str, container: str, argv: list[str], fds: tuple[int, int, int], tty: bool = False) -> int:
    """Run a command in a container on these three descriptors; its exit code, 128+n for a signal."""
    request = {"verb": "exec", "container": container, "argv": argv, "tty": tty}
    return int(_call_with(state_dir, request, fds)["code"])


def attach(
    state_dir: str,
    container: str,
    pipes: tuple[int, int, int],
    stdin: bool,
    joined: Callable[[Callable[[int, int], None]], None] = lambda _: None,
) -> None:
    """Join these three pipes to the streams of a running container until it ends. With a terminal it has no stderr.

    `joined` is given what to call with the columns and rows of our terminal, at first and whenever they change.
    """
    _call_with(state_dir, {"verb": "attach", "container": container, "stdin": stdin}, pipes, joined)


def debug(
    state_dir: str,
    container: dict[str, Any],
    pipes: tuple[int, int, int],
    joined: Callable[[Callable[[int, int], None]], None] = lambda _: None,
) -> int:
    """Add an ephemeral container (v1 EphemeralContainer), stay with it as `attach` does, and return its exit code."""
    return int(_call_with(state_dir, {"verb": "debug", "container": container}, pipes, joined)["code"])


def _call_with(
    state_dir: str,
    request: dict[str, Any],
    fds: tuple[int, int, int],
    joined: Callable[[Callable[[int, int], None]], None] = lambda _: None,
) -> dict[str, Any]:
    """Ask for something to be done with these descriptors, and wait until it is. `joined` is that of `attach`."""
    try:
        connection = _socket(state_dir)
    except OSError as problem:
        raise _nobody(state_dir, problem) from None
    with connection, connection.makefile("rb") as stream:
        socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], list(fds))
        joined(lambda w, h: connection.sendall(json.dumps({"Width": w, "Height": h}).encode() + b"\n"))
        return _answer(stream)


def _nobody(state_dir: str, problem: OSError) -> InitsupError:
    """What to say when there is nobody to ask."""
    text = f"no initsup is running in {state_dir}"
    try:
        pod = _read(state_dir, POD)
    except InitsupError:
        return InitsupError(f"{text} ({problem.strerror})")
    phase = (pod.get("status") or {}).get("phase", "Unknown")
    return InitsupError(f'pod "{pod["metadata"]["name"]}" has ended, its phase is {phase}: {text}')


def _ask_or_read(state_dir: str, verb: str, file: str) -> dict[str, Any]:
    try:
        with _ask(state_dir, {"verb": verb}) as stream:
            line = stream.readline()
    except OSError:
        line = b""
    return _checked(json.loads(line)) if line.endswith(b"\n") else _read(state_dir, file)


def _ask(state_dir: str, request: dict[str, Any]) -> IO[bytes]:
    """Send a request; the stream of answers. Raises OSError when nobody is there."""
    with _socket(state_dir) as connection:
        connection.sendall(json.dumps(request).encode() + b"\n")
        return connection.makefile("rb")


def _answer(stream: IO[bytes]) -> dict[str, Any]:
    try:
        line = stream.readline()
    except OSError:
        line = b""
    if not line.endswith(b"\n"):
        raise InitsupError("initsup ended before it answered")
    return _checked(json.loads(line))


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        problem = InitsupError(answer["error"])
        problem.exit_code = answer.get("code", 1)
        raise problem
    return answer


def _socket(state_dir: str) -> socket.socket:
    """Connect to the control socket. Raises OSError when nobody is there, or nobody listens for too long."""
    deadline = None
    while True:
        try:
            return _connected(state_dir)
        except (FileNotFoundError, ConnectionRefusedError):
            now = time.monotonic()
            deadline = deadline or now + PATIENCE
            if now >= deadline or not is_held(state_dir):
                raise
        time.sleep(_PAUSE)


def _connected(state_dir: str) -> socket.socket:
    """Connect to the control socket, however long its path is (sun_path holds 108 bytes)."""
    directory = os.open(state_dir, os.O_PATH | os.O_DIRECTORY)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(f"/proc/self/fd/{directory}/{SOCKET}")
    except OSError:
        connection.close()
        raise
    finally:
        os.close(directory)
    return connection


def _answers(state_dir: str) -> bool:
    try:
        _connected(state_dir).close()
    except OSError:
        return False
    return True


def _read(state_dir: str, file: str) -> dict[str, Any]:
    """What a run left behind; a run that was killed left only its journal."""
    try:
        with open(os.path.join(state_dir, file), "rb") as stream:
            answer: dict[str, Any] = json.load(stream)
            return answer
    except (OSError, ValueError):
        pass
    if is_held(state_dir):
        raise InitsupError(f"initsup is starting in {state_dir} and does not answer yet")
    if os.path.exists(os.path.join(state_dir, JOURNAL)):
        from initsup.api.lost import lost_events, lost_pod

        return lost_pod(state_dir) if file == POD else lost_events(state_dir)
    raise InitsupError(f"no pod found in {state_dir}")


def _until_free(state_dir: str) -> None:
    """An initsup that is just ending lets go of one thing after the other."""
    deadline = time.monotonic() + PATIENCE
    while is_held(state_dir) and time.monotonic() < deadline:
        time.sleep(_PAUSE)


def is_held(state_dir: str) -> bool:
    """Whether an initsup lives in the directory, be it that it does not answer."""
    from initsup.node.neighbours import is_locked

    try:
        return is_locked(os.path.join(state_dir, LOCK))
    except OSError:
        return False
