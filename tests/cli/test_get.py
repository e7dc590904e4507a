"""`initsup get`."""

import json
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from initsup.api.files import JOURNAL, POD, SOCKET, places
from tests.cli.conftest import Initsup
from tests.cli.fake import FakeInitsup
from tests.cli.sample import pod

Ended = Callable[..., Path]
Running = Callable[..., FakeInitsup]


def test_the_table(initsup: Initsup, ended: Ended) -> None:
    assert initsup("get", "--state-dir", ended(pod())).out == (
        "NAME   READY   STATUS    RESTARTS   AGE\n"
        "web    1/1     Running   0          2d\n"
    )  # fmt: skip


def test_the_table_without_headers(initsup: Initsup, ended: Ended) -> None:
    assert initsup("get", "--no-headers", "--state-dir", ended(pod())).out == "web   1/1   Running   0     2d\n"


def test_the_wide_table(initsup: Initsup, ended: Ended) -> None:
    assert initsup("get", "-o", "wide", "--state-dir", ended(pod())).out == (
        "NAME   READY   STATUS    RESTARTS   AGE   IP          NODE   NOMINATED NODE   READINESS GATES\n"
        "web    1/1     Running   0          2d    127.0.0.1   here   <none>           <none>\n"
    )


def test_the_object(initsup: Initsup, ended: Ended) -> None:
    given = pod()
    given["spec"]["containers"][0]["command"] = ["sh", "-c", "echo ü\necho b\n"]
    place = ended(given)
    assert json.loads(initsup("get", "-o", "json", "--state-dir", place).out) == given
    text = initsup("get", "--output=yaml", "--state-dir", place).out
    assert yaml.safe_load(text) == given
    assert text.startswith("apiVersion: v1\nkind: Pod\nmetadata:\n")
    assert "    - |\n      echo ü\n      echo b\n" in text


@pytest.mark.parametrize(
    ("form", "text"),
    [("name", "pod/web\n"), ("jsonpath={.status.phase}", "Running"), ("jsonpath=.metadata.name", "web")],
)
def test_a_part_of_it(initsup: Initsup, ended: Ended, form: str, text: str) -> None:
    assert initsup("get", "-o", form, "--state-dir", ended(pod())).out == text


def test_an_unknown_form(initsup: Initsup, ended: Ended) -> None:
    done = initsup("get", "-o", "xml", "--state-dir", ended(pod()))
    assert done.code == 2
    assert "output format 'xml', allowed formats are: json,yaml,wide,name,jsonpath" in done.err


def test_no_pod(initsup: Initsup, tmp_path: Path) -> None:
    done = initsup("get", "-o", "json", "--state-dir", tmp_path / "none")
    assert (done.code, done.out) == (1, "")
    assert "no pod found" in done.err


def test_a_running_pod_is_asked(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    running(pod(restarts=2))
    assert initsup("get", "--state-dir", tmp_path).out.splitlines()[1].split()[:4] == ["web", "1/1", "Running", "2"]


def test_watch_prints_a_row_at_each_change(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    running(pod("Pending", ready=False), pod(ready=True), pod(ready=True, generation=2), pod("Succeeded", ready=False))
    lines = initsup("get", "-w", "--state-dir", tmp_path).out.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["NAME", "READY", "STATUS"],
        ["web", "0/1", "Pending"],
        ["web", "1/1", "Running"],
        ["web", "0/1", "Completed"],
    ]


def test_watch_as_yaml_gives_documents(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    running(pod("Pending"), pod())
    documents = yaml.safe_load_all(initsup("get", "-w", "-o", "yaml", "--state-dir", tmp_path).out)
    assert [one["status"]["phase"] for one in documents] == ["Pending", "Running"]


def test_watch_of_a_pod_that_has_ended(initsup: Initsup, ended: Ended) -> None:
    assert len(initsup("get", "-w", "--state-dir", ended(pod("Failed"))).out.splitlines()) == 2


@pytest.mark.parametrize("words", [("get",), ("get", "-w"), ("wait", "--for=phase=Succeeded"), ("delete",)])
def test_an_initsup_that_ends_while_it_is_asked(initsup: Initsup, tmp_path: Path, words: tuple[str, ...]) -> None:
    """It has stopped to answer, and the connection is reset: the files that it has left are the answer."""
    (tmp_path / POD).write_text(json.dumps(pod("Succeeded")))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / SOCKET))
    listener.listen()

    def end() -> None:
        select.select([listener], [], [])
        listener.close()

    ending = threading.Thread(target=end)
    ending.start()
    done = initsup(*words, "--state-dir", tmp_path)
    ending.join()
    assert done.code == 0
    assert "web" in done.out + done.err


@pytest.mark.parametrize("journal", [b"", b"garbage\n", b'{"type": "\xff"}\n'], ids=["empty", "garbage", "no text"])
def test_a_journal_that_cannot_be_read_is_named(initsup: Initsup, tmp_path: Path, journal: bytes) -> None:
    """All that a run which was killed has left."""
    (tmp_path / JOURNAL).write_bytes(journal)
    done = initsup("get", "--state-dir", tmp_path)
    assert done.code == 1
    assert done.err.startswith(f"initsup: cannot read {tmp_path / JOURNAL}")


@pytest.fixture
def several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The usual place, with two pods in it and one that has no object yet."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    base = Path(places()[0])
    for name in ("db", "new", "web"):
        (base / name).mkdir(parents=True)
        if name != "new":
            (base / name / POD).write_text(json.dumps(pod(name=name)))
    return base


def test_all_pods_of_the_usual_place(initsup: Initsup, several: Path) -> None:
    assert [line.split()[0] for line in initsup("get").out.splitlines()] == ["NAME", "db", "web"]
    assert initsup("get", "-o", "name").out == "pod/db\npod/web\n"


def test_all_rows_are_as_wide_as_the_widest(initsup: Initsup, several: Path) -> None:
    name = "a-name-longer-than-its-column"
    (several / "web" / POD).write_text(json.dumps(pod(name=name)))
    header, db, web = initsup("get").out.splitlines()
    assert web.startswith(name)
    assert header.index("READY") == db.index("1/1") == web.index("1/1")


def test_several_objects_are_a_list(initsup: Initsup, several: Path) -> None:
    listing = json.loads(initsup("get", "-o", "json").out)
    assert listing["kind"] == "List"
    assert [item["metadata"]["name"] for item in listing["items"]] == ["db", "web"]


def test_one_of_several(initsup: Initsup, several: Path) -> None:
    assert initsup("get", "pod/db", "-o", "name").out == "pod/db\n"
    done = initsup("get", "other")
    assert (done.code, done.out) == (2, "")
    assert 'pod "other" not found' in done.err


@pytest.mark.parametrize("words", [("-A",), ("pods", "-A"), ("all", "--all-namespaces")], ids=" ".join)
def test_all_namespaces(initsup: Initsup, several: Path, words: tuple[str, ...]) -> None:
    (several / "web" / POD).write_text(json.dumps(pod(name="web", namespace="shop")))
    rows = [line.split()[:2] for line in initsup("get", *words).out.splitlines()]
    assert rows == [["NAMESPACE", "NAME"], ["default", "db"], ["shop", "web"]]


def test_events_are_got_as_well(initsup: Initsup, ended: Ended) -> None:
    place = ended(pod())
    done = initsup("get", "events", "web", "--state-dir", place)
    assert done == initsup("events", "--state-dir", place)


def test_other_kinds_are_kubectls(initsup: Initsup, several: Path) -> None:
    done = initsup("get", "cm", "settings")
    assert (done.code, done.out) == (2, "")
    assert "initsup kubectl get cm settings" in done.err
    (several / "cm").mkdir()
    (several / "cm" / POD).write_text(json.dumps(pod(name="cm")))
    assert initsup("get", "cm", "-o", "name").out == "pod/cm\n"


def test_none_of_several_runs(initsup: Initsup, several: Path) -> None:
    assert initsup("restart").err == "initsup: none of the pods here runs, name one: db, new, web\n"
