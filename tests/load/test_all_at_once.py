"""What cannot be read hides nothing: the rest of the manifest is checked as well, and nothing is said twice."""

# ruff: noqa: E501 - Kubernetes' sentences are long

from __future__ import annotations

import pytest

from initsup.errors import InvalidManifest
from initsup.load.read import load

from .conftest import Write

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n"
NAME = (
    "Invalid value: \"{}\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
    "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


def row(rule: str, text: str, *said: str) -> object:
    """A pod's spec in YAML and all that has to be said about it: `LINE PATH: MESSAGE`."""
    return pytest.param(text, said, id=rule)


ROWS = [
    row(
        "an unknown field beside a broken rule",
        "  restartPolicy: Sometimes\n  containers:\n  - {name: A, command: [x]}\n  zzz: 1\n",
        '5 spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
        f"7 spec.containers[0].name: {NAME.format('A')}",
        "8 spec.zzz: unknown field",
    ),
    row(
        "a wrong type beside a broken rule of the same object",
        "  containers:\n  - name: c\n    command: [x]\n    livenessProbe:\n      periodSeconds: soon\n      failureThreshold: -1\n",
        "8 spec.containers[0].livenessProbe: Required value: must specify a handler type",
        "9 spec.containers[0].livenessProbe.periodSeconds: must be a whole number, not a string",
        '10 spec.containers[0].livenessProbe.failureThreshold: Invalid value: -1: must be greater than or equal to 0',
    ),
    row(
        "a field that is misspelt counts as the one that was meant",
        "  containers:\n  - name: c\n    comand: [x]\n",
        "7 spec.containers[0].comand: unknown field",
    ),
    row(
        "so that it is checked, too",
        "  containers:\n  - name: c\n    command: [x]\n    readinesProbe: {periodSeconds: -1, exec: {command: [a]}}\n",
        "8 spec.containers[0].readinesProbe: unknown field",
        "8 spec.containers[0].readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
    ),
    row(
        "unless the one that was meant is there",
        "  containers:\n  - name: c\n    command: [x]\n    comand: {a: b}\n",
        "8 spec.containers[0].comand: unknown field",
    ),
    row(
        "a text for a list counts as a list of one",
        "  containers:\n  - name: c\n    command: x\n",
        "7 spec.containers[0].command: must be a list, not a string",
    ),
    row(
        "a number for a text counts as its digits",
        "  containers:\n  - name: 1\n    command: [sleep, 5]\n",
        "6 spec.containers[0].name: must be a string, not a whole number",
        "7 spec.containers[0].command[1]: must be a string, not a whole number",
    ),
    row(
        "a number in quotes counts as the number",
        '  activeDeadlineSeconds: "-7"\n  containers:\n  - {name: c, command: [x]}\n',
        "5 spec.activeDeadlineSeconds: must be a whole number, not a string",
        "5 spec.activeDeadlineSeconds: Invalid value: -7: must be between 1 and 2147483647, inclusive",
    ),
    row(
        "what cannot be read is not missing",
        "  containers: 1\n",
        "5 spec.containers: must be a list, not a whole number",
    ),
    row(
        "nor is what else must be there in its place",
        "  containers:\n  - name: c\n    command: {a: b}\n",
        "7 spec.containers[0].command: must be a list, not an object",
    ),
    row(
        "an unknown field may be what is missing",
        "  containers:\n  - name: c\n    zzz: [x]\n",
        "7 spec.containers[0].zzz: unknown field",
    ),
    row(
        "an item that cannot be read keeps its place",
        "  containers:\n  - web\n  -\n  - {name: C, command: [x]}\n",
        "6 spec.containers[0]: must be an object, not a string",
        "7 spec.containers[1]: there is nothing in it",
        f"8 spec.containers[2].name: {NAME.format('C')}",
    ),
    row(
        "volumes that cannot be read are not missed by their mounts",
        "  containers:\n  - name: c\n    command: [x]\n    volumeMounts: [{name: v, mountPath: /v}]\n  volumes: {v: {emptyDir: {}}}\n",
        "9 spec.volumes: must be a list, not an object",
    ),
    row(
        "but those that nobody has are",
        "  zzz: 1\n  containers:\n  - name: c\n    command: [x]\n    volumeMounts: [{name: v, mountPath: /v}]\n",
        "5 spec.zzz: unknown field",
        '9 spec.containers[0].volumeMounts[0].name: Not found: "v"',
    ),
    row(
        "another document that is wrong hides nothing",
        "  containers:\n  - {name: A, command: [x]}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: C_}\ndata: {k: 1}\n",
        f"6 spec.containers[0].name: {NAME.format('A')}",
        "10 metadata.name: Invalid value: \"C_\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
        "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
        "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        "11 data[k]: must be a string, not a whole number",
    ),
    row(
        "nor do settings",
        "  containers:\n  - {name: A, command: [x]}\n---\napiVersion: initsup.dev/v1alpha1\nkind: SupervisorConfiguration\n"
        "containerLogMaxFiles: 1\nimages: {i: {comand: [x]}}\n",
        f"6 spec.containers[0].name: {NAME.format('A')}",
        "10 containerLogMaxFiles: Invalid value: 1: must be greater than 1",
        "11 images[i].comand: unknown field",
    ),
]  # fmt: skip


def problems(*paths: str) -> list[str]:
    """What is said about files: `LINE PATH: MESSAGE`."""
    with pytest.raises(InvalidManifest) as caught:
        load(paths)
    return [f"{problem.line} {problem.path}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize(("text", "said"), ROWS)
def test_all_at_once(write: Write, text: str, said: tuple[str, ...]) -> None:
    assert problems(write("a.yaml", POD + text)) == list(said)


def test_a_file_that_cannot_be_parsed_hides_nothing(write: Write) -> None:
    one = write("a.yaml", POD + "  containers:\n  - {name: A, command: [x]}\n")
    two = write("b.yaml", "data: [\n")
    assert [line.partition(":")[0] for line in problems(one, two)] == ["6 spec.containers[0].name", "2 "]


def test_a_table_of_toml_that_is_none_hides_nothing(write: Write) -> None:
    text = 'configMaps = 1\n[[containers]]\nname = "A"\ncommand = ["x"]\ntty = 1\n'
    assert [line.partition(":")[0] for line in problems(write("a.toml", text))] == [
        "1 configMaps", "3 spec.containers[0].name", "5 spec.containers[0].tty"
    ]  # fmt: skip


def test_a_workload_without_a_pod_says_so_once(write: Write) -> None:
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: D}\nspec: {replica: 1}\n"
    assert [line.partition(":")[0] for line in problems(write("a.yaml", text))] == [
        "3 metadata.name", "4 spec.replica", "4 spec.template.spec"
    ]  # fmt: skip
