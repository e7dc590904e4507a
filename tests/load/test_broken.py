"""Files that are broken: what is said, and for which line."""

# ruff: noqa: E501 - Kubernetes' sentences are long

from __future__ import annotations

from pathlib import Path

import pytest

from initsup.errors import InvalidManifest
from initsup.load.read import load
from initsup.load.source import MOST_BYTES

from .conftest import Write

HEAD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
POD = HEAD + "spec:\n  containers:\n  - name: c\n    command: [a]\n"
TOML = '[[containers]]\nname = "c"\ncommand = ["a"]\n'
JSON = (
    '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},\n'
    '"spec": {"containers": [{"name": "c", "command": ["a"]}]'
)


def row(name: str, file: str, content: str | bytes, line: int, *said: str) -> object:
    """A file, the line that has to be named (0 for none) and words of the error."""
    return pytest.param(file, content, line, said, id=f"{file}: {name}")


def bomb(levels: int) -> str:
    """A text whose aliases of aliases stand for 10^levels values."""
    rows = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(rows)


ROWS = [
    # text
    row("empty", "a.yaml", "", 0, "there is nothing in it"),
    row(
        "a key of more digits than a number may have",
        "a.toml",
        TOML + "[configMaps.cm]\n" + "9" * 5000 + " = 1\n",
        5,
        "configMaps.cm",
    ),
    row("a key of digits that no number has", "a.toml", TOML + '[configMaps.cm]\n"\u00b2" = 1\n', 5, "configMaps.cm"),
    row("only comments", "a.yaml", "# hello\n---\n", 0, "there is nothing in it"),
    row("binary", "a.yaml", b"ab\n\x00\x01", 2, "not a text file"),
    row("UTF-16", "a.yaml", POD.encode("utf-16"), 0, "UTF-16", "save it as UTF-8"),
    row("not UTF-8", "a.toml", b'x = 1\ny = "\xe4"\n', 2, "not UTF-8: byte 0xe4"),
    row("too large", "a.yaml", b"- item\n" * (MOST_BYTES // 7 + 1), 0, "larger than 4 MiB"),
    # YAML
    row("a tab", "a.yaml", HEAD + "spec:\n\tcontainers: []\n", 5, "not YAML", "indent with spaces"),
    row("a bracket that is open", "a.yaml", HEAD + "spec: {containers: [\n", 5, "not YAML"),
    row("a quote that is open", "a.yaml", 'a: "b\n', 2, "not YAML"),
    row("a control character", "a.yaml", POD + "    workingDir: a\x07b\n", 8, "a character that YAML does not allow"),
    row("a key twice", "a.yaml", POD + "    name: d\n", 8, "the key name is there twice, first in line 6"),
    row("a cycle", "a.yaml", "a: &x\n  b: *x\n", 2, "the anchor x contains itself"),
    row("an alias of nothing", "a.yaml", "a: *x\n", 1, "the anchor x is not defined above"),
    row("billion laughs", "a.yaml", bomb(12), 6, "the aliases repeat more than"),
    row("deep lists", "a.yaml", "a: " + "[" * 300 + "]" * 300, 1, "nested more than 200 levels deep"),
    row("deeper lists", "a.yaml", "a: " + "[" * 100_000, 1, "not YAML"),
    row("deep JSON", "a.json", "[" * 100_000 + "]" * 100_000, 0, "nested too deeply"),
    row("a long number", "a.toml", "a = " + "9" * 5000, 0, "not TOML", "limit"),
    row("half a character", "a.json", JSON.replace('"p"', '"\\ud83d"') + "}}", 1, "half of a character"),
    row("deep TOML", "a.toml", "a = " + "[" * 50_000 + "]" * 50_000, 0, "nested too deeply"),
    row("an endless number with a tag", "a.yaml", "a: !x 1e999\n", 1, "1e999 does not fit its tag !x"),
    row("a key that is endless", "a.yaml", "1e999: x\n", 1, "the key 1e999 is not a string"),
    row("a key that is true", "a.yaml", HEAD + "on: x\n", 4, "the key on is not a string", "put it in quotes"),
    row("a key that is a fraction", "a.yaml", "1.5: x\n", 1, "the key 1.5 is not a string"),
    row("a key that is null", "a.yaml", "~: x\n", 1, "the key ~ is not a string"),
    row("a key that is a list", "a.yaml", "? [a]\n: b\n", 1, "a key that is a list or a mapping"),
    row("a Python object", "a.yaml", "a: !!python/object/apply:os.system [x]\n", 1, "unknown tag"),
    row("a private tag", "a.yaml", "a: !mine b\n", 1, "b does not fit its tag !mine"),
    row("infinity", "a.yaml", "a: .inf\n", 1, ".inf is not a number that JSON can hold"),
    row("a merge of no mapping", "a.yaml", "a: 1\n<<: x\n", 2, "<< takes a mapping"),
    # JSON and TOML
    row("an object that is open", "a.json", JSON, 2, "not JSON"),
    row("a comma too many", "a.json", JSON + ",}}", 2, "not JSON"),
    row(
        "a key twice", "a.json", JSON + ',\n"containers": []}}', 3, "the key containers is there twice, first in line 2"
    ),
    row("NaN", "a.json", '{"a": NaN}', 0, "NaN is not a number"),
    row("a value that is missing", "a.toml", TOML + "args =\n", 4, "not TOML"),
    row("a table that is open", "a.toml", TOML + "[metadata\n", 4, "not TOML"),
    row("a key twice", "a.toml", TOML + 'name = "d"\n', 4, "not TOML"),
    row(
        "supervisor is no table",
        "a.toml",
        "supervisor = 1\n" + TOML,
        1,
        "supervisor: must be a table, write [supervisor]",
    ),
    row("a ConfigMap is no table", "a.toml", TOML + '[configMaps]\nx = "y"\n', 5, "configMaps.x: must be a table"),
    # objects
    row("a list", "a.yaml", "- a\n", 1, "not an object"),
    row("a text", "a.yaml", "just a string\n", 1, "not an object"),
    row(
        "an item that is no object", "a.yaml", "kind: List\napiVersion: v1\nitems:\n- x\n", 4, "items[0]: not an object"
    ),
    row("no kind", "a.yaml", "apiVersion: v1\nspec: {}\n", 1, "kind: Required value"),
    row("no version", "a.yaml", "kind: Pod\nspec: {}\n", 1, "apiVersion: Required value, write v1"),
    row("another version", "a.yaml", "kind: Pod\napiVersion: v2\n", 2, 'apiVersion: Unsupported value: "v2"'),
    row("a kind in small letters", "a.yaml", "apiVersion: v1\nkind: pod\n", 2, "kind: unknown kind, did you mean Pod?"),
    row(
        "a kind that is misspelt",
        "a.yaml",
        POD + "---\nkind: Secre\napiVersion: v1\n",
        9,
        "unknown kind, did you mean Secret?",
    ),
    row("only a Service", "a.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n", 0, "found only Service s"),
    row("two pods", "a.yaml", POD + "---\n" + POD.replace("p}", "q}"), 9, "2 pods in one input: Pod p, Pod q"),
    row(
        "a second SupervisorConfiguration",
        "a.yaml",
        POD + "---\napiVersion: initsup.dev/v1alpha1\nkind: SupervisorConfiguration\n" * 2,
        12,
        "more than one",
    ),
    row(
        "two ConfigMaps of one name",
        "a.yaml",
        POD + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n" * 2,
        15,
        'metadata.name: Duplicate value: "c"',
    ),
    # fields
    row(
        "an unknown field",
        "a.yaml",
        POD + "    comand: [x]\n",
        8,
        "spec.containers[0].comand: unknown field, did you mean command?",
    ),
    row(
        "an unknown field",
        "a.toml",
        TOML + 'comand = ["x"]\n',
        4,
        "spec.containers[0].comand: unknown field, did you mean command?",
    ),
    row(
        "an unknown field",
        "a.json",
        JSON.replace("]}]", '],\n"comand": 1}]') + "}}",
        3,
        "spec.containers[0].comand: unknown field, did you mean command?",
    ),
    row("a field with underscores", "a.yaml", POD + "    working_dir: /\n", 8, "did you mean workingDir?"),
    row(
        "a field that is further out",
        "a.yaml",
        POD + "    hostNetwork: true\n",
        8,
        "it is a field of PodSpec, further out",
    ),
    row(
        "a field that is further out", "a.toml", TOML + "hostNetwork = true\n", 4, "field of PodSpec, above all tables"
    ),
    row(
        "settings in a container",
        "a.toml",
        TOML + "supervisor.bestEffort = true\n",
        4,
        "unknown field, write [supervisor]",
    ),
    row(
        "a pod's field that looks like a container's", "a.toml", TOML + "volumes = []\n", 4, "PodSpec, above all tables"
    ),
    row("a field that is further in", "a.yaml", POD + "    mountPath: /x\n", 8, "it belongs into volumeMounts"),
    row(
        "a field of one of several fields, of which one is there",
        "a.yaml",
        POD + "    periodSeconds: 3\n    readinessProbe: {tcpSocket: {port: 80}}\n",
        8,
        "it belongs into readinessProbe",
    ),
    row("a field that nobody knows", "a.yaml", POD + "    zzz: 1\n", 8, "spec.containers[0].zzz: unknown field"),
    row(
        "an unknown field of a workload",
        "a.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  replica: 1\n",
        5,
        "spec.replica: unknown field, did you mean replicas?",
    ),
    row(
        "an unknown field in a workload's pod",
        "a.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  template:\n    spec:\n      containrs: 1\n",
        7,
        "spec.template.spec.containrs: unknown field, did you mean containers?",
    ),
    row(
        "a number for a text",
        "a.yaml",
        POD + "    env: [{name: A, value: 1}]\n",
        8,
        "spec.containers[0].env[0].value: must be a string, not a whole number, put it in quotes",
    ),
    row(
        "true for a text",
        "a.yaml",
        POD + "    env: [{name: A, value: yes}]\n",
        8,
        "must be a string, not true or false",
    ),
    row("a date for a text", "a.toml", TOML + "workingDir = 2026-01-01\n", 4, "must be a string, not a date or time"),
    row(
        "a text for a number",
        "a.yaml",
        POD + '  activeDeadlineSeconds: "7"\n',
        8,
        "spec.activeDeadlineSeconds: must be a whole number, not a string, remove the quotes",
    ),
    row(
        "a fraction for a number",
        "a.yaml",
        POD + "  activeDeadlineSeconds: 1.5\n",
        8,
        "must be a whole number, not a number",
    ),
    row("a text for a truth value", "a.yaml", POD + "    tty: 'true'\n", 8, "must be true or false, not a string"),
    row(
        "a text for a list",
        "a.yaml",
        POD + "    args: x\n",
        8,
        "must be a list, not a string, write it as a list of one",
    ),
    row(
        "an object for a list",
        "a.yaml",
        POD + "    env: {A: b}\n",
        8,
        "must be a list, not an object, write an item for each, beginning with - name:",
    ),
    row("a command line for a list", "a.yaml", POD + "    args: x y\n", 8, "write it as a list, an item for each word"),
    row("one item for a list", "a.yaml", POD + "    env: {name: A}\n", 8, "write it as a list of one"),
    row("a list for an object", "a.yaml", POD + "    resources: []\n", 8, "must be an object, not a list"),
    row("an empty item", "a.yaml", POD + "  -\n", 8, "spec.containers[1]: there is nothing in it"),
    row(
        "a port that is true",
        "a.yaml",
        POD + "    livenessProbe: {tcpSocket: {port: true}}\n",
        8,
        "must be a string or a whole number",
    ),
    row(
        "a number out of range",
        "a.yaml",
        POD + "    livenessProbe: {periodSeconds: 99999999999}\n",
        8,
        "spec.containers[0].livenessProbe.periodSeconds: must be between",
    ),
    row(
        "no base64",
        "a.yaml",
        POD + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  k: '%'\n",
        13,
        "data[k]: not base64",
    ),
    row(
        "stringData that is a number",
        "a.yaml",
        POD + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  a: b\n  k: 1\n",
        14,
        "stringData[k]: must be a string",
    ),
    row(
        "a duration that is none",
        "a.toml",
        TOML + '[supervisor.crashLoopBackOff]\nmaxPeriod = "soon"\n',
        5,
        "supervisor.crashLoopBackOff.maxPeriod: must be a duration such as 10s or 1m30s",
    ),
    row(
        "a size that is none",
        "a.toml",
        TOML + '[supervisor]\ncontainerLogMaxSize = "big"\n',
        5,
        "must be a size such as 10Mi",
    ),
    row("an unknown setting", "a.toml", TOML + "[supervisor]\nbestEfort = true\n", 5, "did you mean bestEffort?"),
    row("a key of a ConfigMap", "a.toml", TOML + '[configMaps.cm]\n"a b" = "x"\n', 5, "configMaps.cm.data[a b]"),
    row("a key of a Secret", "a.toml", TOML + '[secrets.s]\n"a b" = "x"\n', 5, "secrets.s.data[a b]"),
    # rules
    row("no containers", "a.yaml", HEAD + "spec:\n  containers: []\n", 5, "spec.containers: Required value"),
    row("no containers", "a.toml", "", 0, "spec.containers: Required value"),
    row("a name that is missing", "a.yaml", POD + "  - command: [x]\n", 8, "spec.containers[1].name: Required value"),
    row(
        "a rule without its index",
        "a.yaml",
        POD + "    volumeMounts:\n    - {name: v, mountPath: /a}\n    - {name: v, mountPath: /b, subPath: ../x}\n"
        "  volumes: [{name: v}]\n",
        10,
        "spec.containers[0].volumeMounts.subPath",
        "must not contain '..'",
    ),
    row(
        "two problems of one line",
        "a.toml",
        '[[containers]]\nname = "C"\n',
        1,
        "spec.containers[0].image: Required value",
    ),
    row(
        "an image that nothing maps",
        "a.yaml",
        POD + "  - name: d\n    image: nginx:1\n",
        9,
        'images: {"nginx:1": {command: [/path/to/program]}}',
    ),
]


@pytest.mark.parametrize(("file", "content", "line", "said"), ROWS)
def test_broken(write: Write, file: str, content: str | bytes, line: int, said: tuple[str, ...]) -> None:
    path = write(file, content)
    with pytest.raises(InvalidManifest) as caught:
        load([path])
    text = str(caught.value)
    assert path in text
    for words in said:
        assert words in text
    if line:
        assert f"{path}:{line}: " in text
    assert caught.value.exit_code == 2


def test_all_problems_are_said_in_the_order_of_the_file(write: Write) -> None:
    path = write(
        "a.yaml",
        HEAD + "spec:\n  restartPolicy: Sometimes\n  containers:\n  - name: A\n    command: [x]\n"
        "    livenessProbe: {exec: {command: []}, periodSeconds: -1}\n",
    )
    with pytest.raises(InvalidManifest) as caught:
        load([path])
    assert [problem.line for problem in caught.value.problems] == [5, 7, 9, 9]


def test_all_wrong_types_are_said_at_once(write: Write) -> None:
    path = write("a.yaml", HEAD + "spec:\n  hostname: 1\n  zzz: 2\n  containers:\n  - name: c\n    command: x\n")
    with pytest.raises(InvalidManifest) as caught:
        load([path])
    paths = [problem.path for problem in caught.value.problems]
    assert paths == ["spec.hostname", "spec.zzz", "spec.containers[0].command"]


def test_problems_of_several_files(write: Write) -> None:
    one, two = write("a.yaml", POD + "    comand: x\n"), write("b.yaml", "a: [")
    with pytest.raises(InvalidManifest) as caught:
        load([one, two])
    assert {problem.file for problem in caught.value.problems} == {one, two}


@pytest.mark.parametrize("name", ["missing.yaml", "."], ids=["no file", "a directory"])
def test_what_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidManifest, match="cannot read it"):
        load([str(tmp_path / name)])


def test_the_path_is_shown_as_it_was_given(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.yaml", POD + "    comand: x\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidManifest) as caught:
        load(["a.yaml"])
    assert str(caught.value) == "a.yaml:8: spec.containers[0].comand: unknown field, did you mean command?"


def test_no_file_at_all() -> None:
    with pytest.raises(InvalidManifest, match="no file is given"):
        load([])
