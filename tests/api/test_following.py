"""The logs of all containers as one that goes on."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from initsup.api.following import _Source
from initsup.core.facts import ContainerFacts, Exit, Exited, Running, Starting, State, Waiting
from tests.api.live import Live

RUNS: State = Running(pid=1, since=0)
STARTS: State = Starting(since=0)
ENDED: State = Exited(exit=Exit(code=0, reason="", finished_at=0))
TIME = "2026-01-02T03:04:05.00000000{}Z"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., None]:
    """Append lines to the log of an attempt."""

    def append(attempt: int, *texts: str, tag: str = "F") -> None:
        with (tmp_path / f"{attempt}.log").open("a") as file:
            file.writelines(f"{TIME.format(attempt)} stdout {tag} {text}\n" for text in texts)

    return append


class Reading:
    """A source of the container `c`, asked until it has nothing more."""

    def __init__(self, home: Path, tail: int = 1000, since: str = "") -> None:
        self.source = _Source(str(home), "c", tail, since)

    def __call__(self, attempt: int, state: State) -> list[str]:
        found: list[bytes] = []
        while lines := self.source.more(ContainerFacts(state=state, attempt=attempt)):
            found += lines
        return [line.decode().replace(TIME.format(line.split()[1].decode()), "T").rstrip("\n") for line in found]


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Reading]:
    made = Reading(tmp_path)
    yield made
    made.source.close()


def test_lines_name_the_container_and_its_instance(reading: Reading, write: Callable[..., None]) -> None:
    write(0, "one", "two")
    assert reading(0, RUNS) == ["c 0 T one", "c 0 T two"]
    write(0, "three")
    assert reading(0, RUNS) == ["c 0 T three"]


def test_nothing_was_started(reading: Reading) -> None:
    assert reading(-1, Waiting()) == []


def test_it_begins_with_the_newest_instance_and_goes_on_with_each_that_follows(
    reading: Reading, write: Callable[..., None]
) -> None:
    for attempt in range(5):
        write(attempt, f"of {attempt}")
    assert reading(2, RUNS) == ["c 2 T of 2"]
    write(2, "last words")
    assert reading(4, RUNS) == ["c 2 T last words", "c 3 T of 3", "c 4 T of 4"]


def test_a_start_that_fails_is_passed_over(reading: Reading, write: Callable[..., None]) -> None:
    write(0, "one")
    assert reading(0, ENDED) == ["c 0 T one"]
    assert reading(1, STARTS) == []  # nobody knows yet what becomes of it
    assert reading(0, ENDED) == []  # it could not be created, and its number is free again
    write(1, "two")
    assert reading(1, RUNS) == ["c 1 T two"]


def test_a_line_that_has_no_end_gets_one(reading: Reading, write: Callable[..., None]) -> None:
    write(0, "no end", tag="P")
    assert reading(0, RUNS) == []
    assert reading(0, ENDED) == ["c 0 T no end"]


def test_a_line_that_does_not_end_is_given_out_in_parts(reading: Reading, write: Callable[..., None]) -> None:
    write(0, *["x" * 16384] * 40, tag="P")
    write(0, "end")
    lines = reading(0, RUNS)
    assert len(lines) > 2
    assert {line[:6] for line in lines} == {"c 0 T "}
    assert "".join(line[6:] for line in lines) == "x" * 16384 * 40 + "end"
    assert max(map(len, lines)) < 2 * 262144 + 65536


def test_only_so_many_lines_of_what_was_before(tmp_path: Path, write: Callable[..., None]) -> None:
    write(0, "one", "two")
    write(1, "three", "four")
    made = Reading(tmp_path, tail=1)
    assert made(0, ENDED) == ["c 0 T two"]
    assert made(1, ENDED) == ["c 1 T three", "c 1 T four"]


def test_a_client_that_comes_again_gets_what_it_has_missed(tmp_path: Path, write: Callable[..., None]) -> None:
    write(0, "old")
    write(1, "new")
    assert Reading(tmp_path, tail=0, since=TIME.format(1))(1, ENDED) == ["c 1 T new"]


# -- on a pod that runs -----------------------------------------------------------------------------------------------


class Stream:
    """An answer that goes on."""

    def __init__(self, connection: socket.socket, path: str) -> None:
        self._connection = connection
        self.text = ""
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def until(self, words: str) -> None:
        while words not in self.text:
            piece = self._connection.recv(65536)
            assert piece, self.text
            self.text += piece.decode()


@pytest.mark.real
def test_all_containers_over_a_restart_and_lines_in_the_order_of_time(live: Live) -> None:
    with live.unix() as connection:
        stream = Stream(connection, "/dashboard/log")
        stream.until("one\n")
        stream.until("two\n")
        times = [line.split()[2] for line in stream.text.splitlines() if line.startswith("app ")]
        assert times == sorted(times)
        assert live.ask("/dashboard/restart?container=app", "POST")[0] == 200
        stream.until("app 1 ")


@pytest.mark.real
@pytest.mark.parametrize(
    ("query", "message"),
    [
        pytest.param("container=none", "container none is not valid for pod live", id="no such container"),
        pytest.param("container=../app", "is not valid", id="a path"),
        pytest.param("sinceTime=x", "RFC 3339", id="no time"),
        pytest.param("tailLines=x", "a number is expected", id="no number"),
    ],
)
def test_what_is_refused(live: Live, query: str, message: str) -> None:
    code, status = live.ask(f"/dashboard/log?{query}")
    assert code == 400
    assert message in json.dumps(status)
