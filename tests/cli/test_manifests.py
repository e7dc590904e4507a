"""`initsup check`, `convert`, `explain` and `schema`: verbs that need no running pod."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from initsup.load.support import table
from tests.cli.conftest import Initsup

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - {name: app, command: [sleep, "9"]}
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "pod.yaml", POD)


# -- check -----------------------------------------------------------------------------------------------------------


def test_check(initsup: Initsup, file: Path) -> None:
    assert initsup("check", file) == (0, f"{file}: ok\n", "")
    assert initsup("check", "-q", file) == (0, "", "")


def test_check_of_several_files_that_make_one_pod(initsup: Initsup, file: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n")
    assert initsup("check", file, other).out == f"{file}: ok\n{other}: ok\n"


def test_check_tells_what_has_no_effect(initsup: Initsup, file: Path) -> None:
    write(file, POD + "  nodeSelector: {a: b}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n")
    first, *rest = initsup("check", file).out.splitlines()
    assert first == f"{file}: ok"
    assert rest[0].startswith("no effect here: spec.nodeSelector: ")
    assert rest[1] == "no effect here: Service s is ignored"


def test_check_tells_every_problem_on_a_line(initsup: Initsup, file: Path) -> None:
    write(file, POD.replace("command:", "comand:").replace("containers:", "restartPolicy: Sometimes\n  containers:"))
    done = initsup("check", file)
    assert (done.code, done.out) == (2, "")
    assert f"{file}:7: spec.containers[0].comand: " in done.err
    assert "did you mean command" in done.err
    assert all(line.startswith(f"{file}:") for line in done.err.splitlines())


def test_check_with_settings(initsup: Initsup, file: Path) -> None:
    assert initsup("check", file, "--set", "containerLogMaxFiles=3").code == 0
    assert initsup("check", file, "--set", "colour=red").code == 2


def test_check_of_no_file(initsup: Initsup, tmp_path: Path) -> None:
    done = initsup("check", tmp_path / "none.yaml")
    assert done.code == 2
    assert str(tmp_path / "none.yaml") in done.err


# -- convert ---------------------------------------------------------------------------------------------------------


def test_convert_turns_yaml_into_toml_and_back(initsup: Initsup, file: Path, tmp_path: Path) -> None:
    toml = initsup("convert", file).out
    assert tomllib.loads(toml)["containers"][0] == {"name": "app", "command": ["sleep", "9"]}
    back = initsup("convert", write(tmp_path / "pod.toml", toml)).out
    assert yaml.safe_load(back) == yaml.safe_load(POD)


def test_convert_into_a_given_form(initsup: Initsup, file: Path) -> None:
    assert json.loads(initsup("convert", file, "-o", "json").out) == yaml.safe_load(POD)
    assert yaml.safe_load(initsup("convert", file, "--output=yaml").out) == yaml.safe_load(POD)
    assert initsup("convert", file, "-o", "xml").code == 2


def test_convert_says_what_it_leaves_out(initsup: Initsup, file: Path) -> None:
    write(file, POD + "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n")
    done = initsup("convert", file)
    assert (done.code, done.err) == (0, "initsup: left out: Service s\n")


def test_convert_for_a_cluster(initsup: Initsup, file: Path) -> None:
    done = initsup("convert", "-o", "kubernetes", "--kind", "Job", "--image", "app=registry.example/app:1", file)
    job = yaml.safe_load(done.out)
    assert (done.code, done.err, job["kind"]) == (0, "", "Job")
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/app:1"
    assert "# - restartPolicy: a Job knows OnFailure and Never only" in done.out
    assert initsup("convert", "-o", "kubernetes", "--image", "nonsense", file).code == 2
    assert initsup("convert", "-o", "yaml", "--kind", "Job", file).code == 2


def test_convert_for_a_cluster_from_stdin(initsup: Initsup, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = initsup("convert", "-o", "kubernetes", file)
    with file.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert initsup("convert", "-o", "kubernetes", "-") == expected


# -- explain ---------------------------------------------------------------------------------------------------------


def test_explain_a_field(initsup: Initsup) -> None:
    lines = initsup("explain", "pod.spec.containers.livenessProbe").out.splitlines()
    assert lines[:6] == ["KIND:       Pod", "VERSION:    v1", "", "FIELD: livenessProbe <Probe>", "", "DESCRIPTION:"]
    assert "  periodSeconds\t<integer> (default: 10)" in lines
    assert "  httpGet\t<HTTPGetAction>" in lines


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        pytest.param("containers", "FIELD: containers <[]Container>", id="without pod.spec"),
        pytest.param("spec.containers.env", "FIELD: env <[]EnvVar>", id="without pod"),
        pytest.param("po.metadata.labels", "FIELD: labels <map[string]string>", id="a map"),
        pytest.param("containers.command", "FIELD: command <[]string>", id="a list"),
        pytest.param("containers.stdin", "FIELD: stdin <boolean>", id="a truth value"),
        pytest.param("containers[].livenessProbe.tcpSocket.port", "FIELD: port <IntOrString>", id="a port"),
        pytest.param("containers.resources.limits", "FIELD: limits <map[string]Quantity>", id="quantities"),
        pytest.param(
            "supervisor.crashLoopBackOff.maxPeriod", "FIELD: maxPeriod <duration> (default: 5m0s)", id="a duration"
        ),
        pytest.param(
            "supervisor.containerLogMaxSize", "FIELD: containerLogMaxSize <Quantity> (default: 10Mi)", id="a size"
        ),
        pytest.param("volumes.secret.defaultMode", "FIELD: defaultMode <integer> (default: 0644)", id="a mode"),
        pytest.param("spec.containers", "KIND:       Pod", id="the kind, without pod"),
        pytest.param("supervisor", "KIND:       SupervisorConfiguration", id="the settings"),
        pytest.param("pod", "KIND:       Pod", id="the pod"),
        pytest.param("imageCache", "FIELD: imageCache <string>", id="a setting, without supervisor"),
        pytest.param("images.rootfs", "FIELD: rootfs <string>", id="in a setting"),
        pytest.param("configMaps", "    [configMaps.settings]", id="the ConfigMaps of a TOML file"),
        pytest.param("secrets.database", "    [secrets.database]", id="a Secret of a TOML file"),
    ],
)
def test_explain_finds(initsup: Initsup, field: str, shown: str) -> None:
    done = initsup("explain", field)
    assert (done.code, done.err) == (0, "")
    assert shown in done.out.splitlines()


def test_explain_tells_what_is_different_here(initsup: Initsup) -> None:
    assert initsup("explain", "nodeSelector").out.endswith("\nHERE:\n    no effect: there is one node\n")
    assert "\nHERE:\n    differs: only this container" in initsup("explain", "containers.volumeMounts.mountPath").out
    assert "\nHERE:\n    refused: they are the whole host's" in initsup("explain", "securityContext.sysctls").out
    assert initsup("explain", "containers.command").out.endswith("\nHERE:\n    same\n")
    assert "HERE:" not in initsup("explain", "supervisor.console").out


def test_explain_defaults_with_units(initsup: Initsup) -> None:
    assert "  initialPeriod\t<duration> (default: 10s)" in initsup("explain", "supervisor.crashLoopBackOff").out
    assert "  containerLogMaxSize\t<Quantity> (default: 10Mi)" in initsup("explain", "supervisor").out


def test_explain_all_fields_below(initsup: Initsup) -> None:
    out = initsup("explain", "containers.lifecycle", "--recursive").out
    assert "  preStop\t<LifecycleHandler>\n    exec\t<ExecAction>\n      command\t<[]string>\n" in out


def test_explain_everything(initsup: Initsup) -> None:
    """Every field has a type that can be named."""
    out = initsup("explain", "--recursive").out + initsup("explain", "supervisor", "--recursive").out
    assert len(out.splitlines()) > 500
    assert "Annotated" not in out


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("containers.comand", 'field "comand" does not exist in pod.spec.containers, did you mean command?'),
        (
            "livenessProbe",
            'field "livenessProbe" does not exist in pod, did you mean pod.spec.containers.livenessProbe?',
        ),
        ("containers.command.x", 'field "x" does not exist: pod.spec.containers.command has no fields'),
        ("zzz", "field \"zzz\" does not exist in pod, 'initsup explain pod' lists what does"),
    ],
)
def test_explain_a_field_that_is_not_there(initsup: Initsup, field: str, problem: str) -> None:
    assert initsup("explain", field) == (2, "", f"initsup: {problem}\n")


# -- schema ----------------------------------------------------------------------------------------------------------


def references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        if isinstance(tree.get("$ref"), str):
            yield tree["$ref"]
        for value in tree.values():
            yield from references(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from references(value)


@pytest.mark.parametrize("form", ["yaml", "toml"])
def test_schema_is_whole(initsup: Initsup, form: str) -> None:
    schema = json.loads(initsup("schema", form).out)
    assert {ref.removeprefix("#/$defs/") for ref in references(schema)} <= set(schema["$defs"])


def test_schema_describes_every_field_it_has(initsup: Initsup) -> None:
    defs = json.loads(initsup("schema").out)["$defs"]
    for name, fields in table().items():
        for field, support in fields.items():
            if name in defs:
                assert defs[name]["properties"][field]["description"].startswith(support.meaning)


def test_schema_of_yaml(initsup: Initsup) -> None:
    schema = json.loads(initsup("schema").out)
    defs = schema["$defs"]
    assert {"$ref": "#/$defs/Pod"} in schema["oneOf"]
    assert defs["Pod"]["properties"]["kind"]["const"] == "Pod"
    assert defs["Container"]["required"] == ["name"]
    assert defs["Container"]["additionalProperties"] is False
    assert defs["Container"]["properties"]["env"]["type"] == "array"
    assert defs["CrashLoopBackOff"]["properties"]["maxPeriod"]["type"] == ["string", "number"]
    assert defs["EmptyDirVolumeSource"]["properties"]["sizeLimit"]["type"] == ["string", "number"]
    assert defs["ResourceRequirements"]["properties"]["limits"]["additionalProperties"] == {
        "type": ["string", "number"]
    }
    assert defs["Probe"]["properties"]["periodSeconds"]["default"] == 10


def test_schema_of_toml(initsup: Initsup) -> None:
    schema = json.loads(initsup("schema", "toml").out)
    assert {"metadata", "containers", "initContainers", "volumes", "supervisor", "configMaps"} <= set(
        schema["properties"]
    )
    assert schema["required"] == ["containers"]
    assert [one["type"] for one in schema["$defs"]["Container"]["properties"]["env"]["anyOf"]] == ["object", "array"]
