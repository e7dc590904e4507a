"""YAML, JSON and TOML: how values are read, which form a text has, how many objects there are."""

# ruff: noqa: E501 - tables read better in long lines

from __future__ import annotations

import io
import json
import sys
import time
from typing import Any

import pytest

from initsup.errors import InvalidManifest
from initsup.load import json_form, toml_form, yaml_form
from initsup.load.read import load, read
from initsup.spec.pod import EnvVar

from .conftest import Write

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: c\n    command: [a]\n"
TOML = '[[containers]]\nname = "c"\ncommand = ["a"]\n'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("", None, id="nothing"),
        pytest.param("~", None, id="a tilde"),
        pytest.param("null", None, id="null"),
        pytest.param("nUll", "nUll", id="no null"),
        pytest.param("true", True, id="true"),
        pytest.param("Yes", True, id="yes, as in YAML 1.1"),
        pytest.param("off", False, id="off, as in YAML 1.1"),
        pytest.param("y", "y", id="y is a text"),
        pytest.param("12", 12, id="a number"),
        pytest.param("-12", -12, id="a negative number"),
        pytest.param("+12", 12, id="a plus sign"),
        pytest.param("0644", 0o644, id="octal with a leading zero"),
        pytest.param("0o644", 0o644, id="octal with 0o"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("0b11", 3, id="binary"),
        pytest.param("1_000", 1000, id="underscores"),
        pytest.param("08", 8.0, id="no octal"),
        pytest.param("1.5", 1.5, id="a fraction"),
        pytest.param(".5", 0.5, id="a fraction without its zero"),
        pytest.param("1e3", 1000.0, id="an exponent"),
        pytest.param("1.2.3", "1.2.3", id="a version"),
        pytest.param("10.0.0.1", "10.0.0.1", id="an address"),
        pytest.param("1:30", "1:30", id="no sexagesimal number"),
        pytest.param("8080:80", "8080:80", id="two ports"),
        pytest.param("2026-01-02", "2026-01-02", id="a date is a text"),
        pytest.param("64Mi", "64Mi", id="a quantity is a text"),
        pytest.param("./run", "./run", id="a path"),
        pytest.param("-c", "-c", id="an option"),
        pytest.param("--flag", "--flag", id="a long option"),
        pytest.param("+", "+", id="a sign alone"),
        pytest.param(".", ".", id="a point alone"),
        pytest.param("0x", "0x", id="a prefix alone"),
        pytest.param("9" * 60, float("9" * 60), id="a number of sixty digits"),
    ],
)
def test_plain_value(text: str, value: Any) -> None:
    found = yaml_form.plain(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('a: "1"', {"a": "1"}, id="a quoted number is a text"),
        pytest.param("a: !!str 1", {"a": "1"}, id="a tagged text"),
        pytest.param("a: !!int 1", {"a": 1}, id="a tagged number"),
        pytest.param("8080: a", {"8080": "a"}, id="a key that is a whole number is its text"),
        pytest.param('"on": a', {"on": "a"}, id="a quoted key"),
        pytest.param("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}, id="an alias"),
        pytest.param("a: &x b\n*x : c", {"a": "b", "b": "c"}, id="an alias as a key"),
        pytest.param("&x a: *x", {"a": "a"}, id="an anchor on a key"),
        pytest.param(
            "a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}, id="a merge"
        ),
        pytest.param(
            "d:\n  <<: [{a: 1}, {a: 2, b: 3}]", {"d": {"a": 1, "b": 3}}, id="a merge of several, the first one wins"
        ),
        pytest.param("a: |\n  b\n  c\n", {"a": "b\nc\n"}, id="a block"),
        pytest.param("a: >-\n  b\n  c\n", {"a": "b c"}, id="a folded block"),
        pytest.param("a:\n- b\n-\n", {"a": ["b", None]}, id="an empty item"),
    ],
)
def test_yaml(text: str, value: Any) -> None:
    assert yaml_form.parse(text) == [value]


def test_lines_of_yaml() -> None:
    text = "a: 1\nb:\n  - c\n  - d: |\n      x\n      y\n    e: 2\n---\nf: {g: [\n  h]}\n"
    first, second = yaml_form.lines(text)
    assert first == {
        (): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "d"): 4, ("b", 1, "e"): 7,
    }  # fmt: skip
    assert second == {(): 9, ("f",): 9, ("f", "g"): 9, ("f", "g", 0): 10}


def test_lines_of_json() -> None:
    text = '{"a": 1,\n "b": [\n  "c", {"d}": [\n   []]}],\n "e": "\\"x"}\n{\n"f": {}, "g": [],\n"h": 1}'
    first, second = json_form.lines(text)
    assert json_form.parse(text) == [{"a": 1, "b": ["c", {"d}": [[]]}], "e": '"x'}, {"f": {}, "g": [], "h": 1}]
    assert first == {
        (): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 3, ("b", 1, "d}"): 3, ("b", 1, "d}", 0): 4, ("e",): 5,
    }  # fmt: skip
    assert second == {(): 6, ("f",): 7, ("g",): 7, ("h",): 8}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"a": 1, "a": 2}', id="side by side"),
        pytest.param('[{"b": [{"a": 1, "b": {}, "a": 1}]}]', id="deep inside"),
        pytest.param('{"a": 1, "\\u0061": 2}', id="written in two ways"),
        pytest.param('{"a": ":", "b:": "\\\\", "c\\"": "\\":", "a": 1}', id="beside colons and quotes in texts"),
        pytest.param('{"a": {"a": 1}}\n{"a": 1, "a": 2}', id="in the second document"),
    ],
)
def test_a_key_of_json_that_is_there_twice(text: str) -> None:
    with pytest.raises(InvalidManifest, match="the key a is there twice"):
        json_form.parse(text)


def test_lines_of_toml() -> None:
    text = (
        'a = 1\nb."c d" = [\n  "# no [table]",\n]\n\n[e] # comment\nf = """\n[no.table]\ng = 1\n"""\nh = "x"\n'
        "[[i.j]]\nk = 1\n[i.j.l]\nm = 1\n[[i.j]]\n[i.j.\"n.o\"]\np = '\\'\nq = {r = 1}\n"
    )
    assert toml_form.lines(text) == [
        {
            (): 1, ("a",): 1, ("b",): 2, ("b", "c d"): 2, ("e",): 6, ("e", "f"): 7, ("e", "h"): 11, ("i",): 12,
            ("i", "j"): 12, ("i", "j", 0): 12, ("i", "j", 0, "k"): 13, ("i", "j", 0, "l"): 14, ("i", "j", 0, "l", "m"): 15,
            ("i", "j", 1): 16, ("i", "j", 1, "n.o"): 17, ("i", "j", 1, "n.o", "p"): 18, ("i", "j", 1, "n.o", "q"): 19,
        }
    ]  # fmt: skip
    assert toml_form.parse(text)


JSON = json.dumps(yaml_form.parse(POD)[0])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("a.yaml", POD, id="YAML by name"),
        pytest.param("a.yml", POD, id="YAML by its short name"),
        pytest.param("a.json", JSON, id="JSON by name"),
        pytest.param("a.toml", TOML, id="TOML by name"),
        pytest.param("A.TOML", TOML, id="a name in capitals"),
        pytest.param("a.yaml", JSON, id="JSON is YAML"),
        pytest.param("a", "# comment\n\n" + POD, id="YAML by content"),
        pytest.param("a", "\n" + JSON, id="JSON by content"),
        pytest.param("a", "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, command: [a]}]}}",
                     id="YAML in braces by content"),
        pytest.param("a", TOML, id="TOML by content: a table"),
        pytest.param("a", 'restartPolicy = "Never"\n' + TOML, id="TOML by content: a key"),
        pytest.param("a.yaml", "---\n" + POD + "---\n# nothing\n", id="empty documents do not count"),
        pytest.param("a.yaml", POD.replace("\n", "\r\n"), id="line ends of Windows"),
        pytest.param("a.toml", TOML.replace("\n", "\r\n"), id="line ends of Windows in TOML"),
        pytest.param("a.yaml", "\ufeff" + POD, id="a byte order mark"),
        pytest.param("a.toml", 'kind = "Pod"\napiVersion = "v1"\n[metadata]\nname = "p"\n[[spec.containers]]\nname = "c"\n'
                     'command = ["a"]\n', id="a Pod of Kubernetes in TOML"),
        pytest.param("a.yaml", "apiVersion: v1\nkind: List\nitems:\n" + "".join(f"  {row}\n" for row in
                     ("- " + POD.strip()).replace("\n", "\n  ").split("\n")), id="a List"),
        pytest.param("a.yaml", "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: p}\n  spec: {containers: [{name: c, "
                     "command: [a]}]}\n", id="a PodList, whose items need no kind"),
    ],
)  # fmt: skip
def test_form(write: Write, name: str, text: str) -> None:
    manifest = load([write(name, text)])
    assert [container.name for container in manifest.pod.spec.containers] == ["c"]


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((POD + "    comand: x\n").encode())))
    with pytest.raises(InvalidManifest, match=r"^-:8: spec\.containers\[0\]\.comand: unknown field"):
        load(["-"])


NULLS = """\
  restartPolicy: null
  volumes:
  hostNetwork:
  containers:
  - name: c
    command: [a]
    args: null
    env:
    - {name: A, value: null}
    resources:
"""


def test_null_is_not_set(write: Write) -> None:
    manifest = load([write("a.yaml", POD.partition("  containers")[0] + NULLS)])
    assert manifest.pod.spec.restart_policy == "Always"
    assert manifest.pod.spec.containers[0].env == (EnvVar(name="A"),)


def test_null_in_a_map_is_empty(write: Write) -> None:
    manifest = load([write("a.yaml", POD.replace("{name: p}", "{name: p, labels: {a: null}}"))])
    assert manifest.pod.metadata.labels == {"a": ""}


def test_structures_without_meaning_are_kept(write: Write) -> None:
    affinity = {"nodeAffinity": {"x": [1, 2.5, True, None, {"deep": "y"}]}}
    manifest = read([write("a.yaml", POD + f"  affinity: {json.dumps(affinity)}\n")])
    assert manifest.pod.spec.affinity == affinity


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("a.yaml", "- {a: [1, b, 'c']}\n" * 200_000, id="YAML"),
        pytest.param("a.yaml", "[" + "1," * 2_000_000 + "1]", id="YAML of small values"),
        pytest.param("a.json", '{"a":' + "[" + "1," * 2_000_000 + "1]}", id="JSON"),
        pytest.param("a.toml", 'a = "b"\n' * 500_000, id="TOML"),
        pytest.param("a.yaml", "#" * 10_000_000, id="too large"),
    ],
)
def test_a_large_file_takes_no_long_time(write: Write, name: str, text: str) -> None:
    path = write(name, text)
    start = time.process_time()
    with pytest.raises(InvalidManifest):
        load([path])
    assert time.process_time() - start < 10  # a hang would be minutes; it is one second
