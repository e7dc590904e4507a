"""Whatever is in a file, loading it gives a manifest or says what is wrong; it never fails in another way."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from initsup.errors import InvalidManifest, Problem
from initsup.load import json_form, yaml_form
from initsup.load.read import load

EXAMPLES = int(os.environ.get("INITSUP_FUZZ", "60"))
quick = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

YAML = """\
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {a: b}}
spec:
  restartPolicy: Never
  volumes:
  - name: v
    configMap: {name: cm, items: [{key: k, path: p, mode: 0644}]}
  containers:
  - name: c
    image: &i x
    command: [a, "b", 'c']
    env:
    - {name: A, value: "1"}
    - name: B
      valueFrom: {fieldRef: {fieldPath: metadata.name}}
    resources: {limits: {cpu: 1, memory: 1Gi}}
    livenessProbe: {httpGet: {port: http, path: /}, periodSeconds: 3}
    volumeMounts: [{name: v, mountPath: /v}]
    lifecycle: {preStop: {sleep: {seconds: 1}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cm}
data:
  k: |
    x
"""
TOML = """\
restartPolicy = "Never"
[[containers]]
name = "c"
command = ["a", 'b']
env = {A = "1"}
[[volumes]]
name = "v"
emptyDir = {sizeLimit = "1Mi"}
[supervisor.crashLoopBackOff]
initialPeriod = "1s"
[configMaps.cm]
k = \"\"\"
x\"\"\"
[secrets.s.data]
k = "eA=="
"""
JSON = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "command": ["a"], "ports": [{"containerPort": 1}]}]},
    },
    indent=1,
)


def survives(path: Path, data: bytes) -> None:
    """Loads the file; what it says is one line for each problem."""
    path.write_bytes(data)
    problems: list[Problem] = []
    try:
        load([str(path)])
    except InvalidManifest as error:
        problems = error.problems
        assert problems
    for problem in problems:
        assert problem.message
        assert problem.file == str(path)


edits = st.lists(
    st.tuples(
        st.integers(0, 2000),
        st.integers(0, 12),
        st.sampled_from(
            ["", "\n", " ", "\t", ":", ": ", "-", "- ", "{", "}", "[", "]", '"', "'", "#", "&i ", "*i", "!", "|", ">",
             "=", "null", "1", "-1", "1e999", "true", "\0", "\ufeff", "é", "<<: *i", ",", "\\", '"""', "---\n", "[["]
        ),
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"), [("a.yaml", YAML), ("a.toml", TOML), ("a.json", JSON), ("a", YAML), ("b", TOML)]
)
@quick
@given(changes=edits)
def test_a_text_with_slips(name: str, text: str, changes: list[tuple[int, int, str]], tmp_path: Path) -> None:
    for at, length, new in changes:
        at %= len(text)
        text = text[:at] + new + text[at + length :]
    survives(tmp_path / name, text.encode())


@pytest.mark.parametrize("name", ["a.yaml", "a.toml", "a.json", "a"])
@quick
@given(data=st.binary(max_size=200))
def test_any_bytes(name: str, data: bytes, tmp_path: Path) -> None:
    survives(tmp_path / name, data)


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "a", "A_", "-1", "1Gi", "Always", "../x", "x" * 300, "metadata.labels['", "$(", "é"]),
)  # fmt: skip
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "a", ""]), inner, max_size=3),
)


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything in a value."""
    entries: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *[found for step, inner in entries for found in paths_in(inner, (*path, step))]]


@quick
@given(data=st.data())
def test_a_value_of_another_kind_anywhere(whole: Callable[[], list[Any]], data: st.DataObject, tmp_path: Path) -> None:
    objects = whole()
    way = data.draw(st.sampled_from([path for path in paths_in(objects) if len(path) > 1]))
    target = objects
    for step in way[:-1]:
        target = target[step]
    target[way[-1]] = data.draw(anything)
    survives(tmp_path / "a.json", "\n".join(json.dumps(obj) for obj in objects).encode())


@pytest.fixture
def whole() -> Callable[[], list[Any]]:
    """Makes the objects of the YAML text."""
    from initsup.load.yaml_form import parse

    return lambda: parse(YAML)


@pytest.mark.parametrize("form", [json_form, yaml_form], ids=["JSON", "YAML"])
@quick
@given(value=st.dictionaries(st.sampled_from(["a", "b c", 'd"', "é"]), anything, min_size=1))
def test_every_value_has_a_line(form: Any, value: dict[str, Any]) -> None:
    text = json.dumps(value, indent=1)
    (lines,) = form.lines(text)
    assert set(lines) == set(paths_in(value))
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


@quick
@given(value=anything | st.dictionaries(st.sampled_from(['d"', "e:", "\\", '\\"', "é"]), anything))
def test_json_is_read_as_the_json_module_reads_it(value: Any) -> None:
    text = json.dumps(value, indent=1)
    assert repr(json_form.parse(text)) == repr([json.loads(text)])
