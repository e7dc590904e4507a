"""Bad input: one clear error with file and line, exit code 2, and nothing is started."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.stories.driver import cli

pytestmark = pytest.mark.real

# A pod that would leave a trace if it were started. Rows add to it, or write their own.
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: bad}
spec:
  containers:
  - name: c
    command: [touch, WITNESS]
"""
TOML = """\
[[containers]]
name = "c"
command = ["touch", "WITNESS"]
"""
JSON = """\
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bad"},
"spec": {"containers": [{"name": "c", "command": ["touch", "WITNESS"]}]"""
READ_ONLY = """\
volumeMounts = [{ name = "v", mountPath = "/nowhere/v", readOnly = true }] #!
[[volumes]]
name = "v"
[supervisor]
volumes.mode = "link"
"""
BOMB = "\n".join(["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)])


def row(name: str, suffix: str, content: str | bytes, *words: str) -> object:
    """One file. A line that ends with `#!` is the one that the error must name; `words` must be in the error."""
    return pytest.param(suffix, content, words, id=f"{suffix}: {name}")


def pod(name: str, added: str, *words: str) -> object:
    """A pod in YAML with some lines more."""
    return row(name, "yaml", f"{POD}{added}\n", *words)


def toml(name: str, added: str, *words: str) -> object:
    """A pod in TOML with some lines more."""
    return row(name, "toml", f"{TOML}{added}\n", *words)


ROWS = [
    # what is not even a file of its kind
    row("empty", "yaml", ""),
    row("only a comment", "yaml", "# nothing\n"),
    row("binary", "yaml", bytes(range(256)) * 16),
    row("not UTF-8", "yaml", POD.replace("bad", "b\xe4d").encode("latin-1")),
    row("ten megabytes", "yaml", "- item\n" * 1_500_000),
    pod("a tab as indentation", "\tresources: {} #!"),
    pod("an unclosed bracket", "    args: [a, b"),
    pod("an unclosed quote", '    workingDir: "/tmp'),
    pod("wrong indentation", "   args: [a] #!"),
    pod("a cycle of anchors", "    args: &loop [*loop]"),
    pod("an unknown alias", "    args: *nothing #!", "nothing"),
    row("aliases that explode", "yaml", BOMB + "\n" + POD),
    pod("an object of Python", "    args: !!python/object/apply:os.system ['touch WITNESS'] #!"),
    row("empty", "toml", ""),
    toml("a table that is not closed", "[metadata #!"),
    toml("a value that is missing", "args = #!"),
    toml("a key given twice", 'name = "d" #!'),
    row("an unclosed object", "json", JSON),
    row("a comma too many", "json", JSON + ",}}\n"),
    row("a key given twice", "json", JSON + ',\n"containers": []}}\n', "containers"),
    # what is no pod
    row("a list", "yaml", "- apiVersion: v1\n"),
    row("no kind", "yaml", POD.replace("kind: Pod\n", ""), "kind"),
    row("an unknown version", "yaml", POD.replace("apiVersion: v1", "apiVersion: v9 #!"), "apiVersion"),
    row("nothing that runs", "yaml", POD.replace("Pod", "Service"), "Service"),
    pod("two pods", "---" + POD.replace("bad", "worse")),
    row("no containers", "yaml", POD.partition("spec")[0] + "spec: {containers: []} #!\n", "spec.containers"),
    # fields
    pod("an unknown field", "    comand: [sh] #!", "spec.containers[0].comand", "command"),
    toml("an unknown field", 'comand = ["sh"] #!', "spec.containers[0].comand", "command"),
    pod("a field given twice", "    name: d #!", "name"),
    pod("text where a number must be", "  activeDeadlineSeconds: soon #!", "spec.activeDeadlineSeconds"),
    pod("a word where a list must be", "    args: all #!", "spec.containers[0].args"),
    toml("a date where text must be", "workingDir = 2026-01-02 #!", "workingDir"),
    pod("an unknown restart policy", "  restartPolicy: Sometimes #!", "spec.restartPolicy"),
    pod("a container without a name", "  - command: [sh] #!", "spec.containers[1].name"),
    pod("a name that is none", "  - name: Upper_Case #!\n    command: [sh]", "spec.containers[1].name"),
    pod("two containers of one name", "  - name: c #!\n    command: [sh]", "spec.containers[1].name"),
    pod("no command and no mapping", "  - name: d\n    image: nginx #!", "spec.containers[1]", "images"),
    pod("a volume that is missing", "    volumeMounts:\n    - {name: lost, mountPath: /x} #!", "lost"),
    pod("two volumes of one name", "  volumes:\n  - {name: v}\n  - {name: v} #!", "spec.volumes[1].name"),
    pod("a size that is none", "  volumes:\n  - name: v\n    emptyDir: {sizeLimit: big} #!", "sizeLimit"),
    pod("a probe without a handler", "    readinessProbe: {periodSeconds: 1} #!", "readinessProbe"),
    pod("a system call filter", "    securityContext: {seccompProfile: {type: RuntimeDefault}} #!", "--best-effort"),
    pod(
        "an image of files that is nowhere",
        "  volumes:\n  - {name: v, image: {reference: a:1}} #!",
        "no image is pulled",
    ),
    pod("a volume of a cluster", "  volumes: [{name: v, persistentVolumeClaim: {claimName: c}}] #!", "use hostPath"),
    toml("mounts where there are none", READ_ONLY, "needs mounts", "--best-effort"),
    toml("an unknown setting", '[supervisor]\ncolour = "red" #!', "colour"),
    toml("a duration that is none", '[supervisor.crashLoopBackOff]\nmaxPeriod = "soon" #!', "maxPeriod"),
]


@pytest.mark.parametrize(("suffix", "content", "words"), ROWS)
def test_bad_input_starts_nothing(tmp_path: Path, suffix: str, content: str | bytes, words: tuple[str, ...]) -> None:
    witness = tmp_path / "witness"
    file = tmp_path / f"bad.{suffix}"
    data = content.encode() if isinstance(content, str) else content
    file.write_bytes(data.replace(b"WITNESS", str(witness).encode()))

    done = cli("run", str(file), "--state-dir", str(tmp_path / "state"), timeout=20)

    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert not witness.exists()
    lines = [number for number, line in enumerate(data.split(b"\n"), start=1) if line.endswith(b"#!")]
    for line in lines:
        assert re.search(rf"{re.escape(str(file))}:{line}: ", done.stderr), done.stderr
    assert str(file) in done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("name", ["missing.yaml", "."], ids=["a file that is not there", "a directory"])
def test_what_cannot_be_read(tmp_path: Path, name: str) -> None:
    done = cli("run", str(tmp_path / name), "--state-dir", str(tmp_path / "state"))
    assert done.returncode == 2, done.stderr
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("added", "paths"),
    [
        pytest.param(
            "    comand: [sh]\n    args: all\n  paused: true\n",
            ("containers[0].comand", "containers[0].args", "paused"),
            id="fields",
        ),
        pytest.param(
            "  restartPolicy: Sometimes\n  volumes: [{name: V}]\n", ("restartPolicy", "volumes[0].name"), id="values"
        ),
        pytest.param(
            "    comand: [sh]\n  hostUsers: false\n  volumes: [{name: V}]\n",
            ("containers[0].comand", "hostUsers", "volumes[0].name"),
            id="fields, values, and what cannot be given",
        ),
    ],
)
def test_all_problems_are_told_at_once(tmp_path: Path, added: str, paths: tuple[str, ...]) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(POD + added)
    done = cli("check", str(file))
    assert done.returncode == 2
    for path in paths:
        assert f"spec.{path}: " in done.stderr


def test_a_place_that_cannot_give_it_is_told_of_before(tmp_path: Path) -> None:
    file = tmp_path / "pod.toml"
    file.write_text(f"{TOML}securityContext.readOnlyRootFilesystem = true\n[supervisor]\nvolumes.mode = 'link'\n")
    said = "spec.containers[0].securityContext.readOnlyRootFilesystem: needs mounts, which are not permitted here"
    assert cli("check", str(file)).stdout.startswith(f"{file}: ok\n")
    done = cli("check", "--here", str(file))
    assert (done.returncode, done.stderr) == (2, f"{file}:4: {said}, --best-effort does without it\n")
    done = cli("check", "--here", "--best-effort", str(file))
    assert done.stdout.splitlines()[:2] == [f"{file}: ok", f"not given here: {said}"]


def test_best_effort_runs_and_says_what_it_does_without(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(POD.replace("WITNESS", str(tmp_path / "witness")) + "  hostUsers: false\n  restartPolicy: Never\n")
    done = cli("run", str(file), "--best-effort", "--state-dir", str(tmp_path / "state"))
    assert done.returncode == 0
    assert "initsup: spec.hostUsers: cannot be given here: containers have the users of" in done.stderr
    assert (tmp_path / "witness").exists()
