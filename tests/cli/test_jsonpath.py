"""kubectl's JSONPath."""

from typing import Any

import pytest

from initsup.cli.jsonpath import fill, find
from initsup.errors import UsageError

POD: dict[str, Any] = {
    "metadata": {"name": "web", "labels": {"app.io/part": "x", "n": "1"}},
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "False", "reason": "R"}],
        "containerStatuses": [{"name": "a", "restartCount": 2, "ready": True}, {"name": "b", "restartCount": 0}],
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param(".status.phase", ["Running"], id="a field"),
        pytest.param("$.status.phase", ["Running"], id="from the root"),
        pytest.param(".", [POD], id="everything"),
        pytest.param(".status.nothing.more", [], id="a field that is not there"),
        pytest.param(".status.phase.more", [], id="a field of a text"),
        pytest.param(".status.containerStatuses[1].name", ["b"], id="an index"),
        pytest.param(".status.containerStatuses[-1].name", ["b"], id="an index from the end"),
        pytest.param(".status.containerStatuses[7].name", [], id="an index too far"),
        pytest.param(".status.containerStatuses[*].name", ["a", "b"], id="all elements"),
        pytest.param(".metadata.labels.*", ["x", "1"], id="all values"),
        pytest.param(".metadata.labels['app.io/part']", ["x"], id="a key in quotes"),
        pytest.param(r".metadata.labels.app\.io/part", ["x"], id="a key with an escaped dot"),
        pytest.param('.status.conditions[?(@.type=="Ready")].status', ["True"], id="a filter"),
        pytest.param("..conditions", None, id="a descent is not known"),
        pytest.param(".status.conditions[?(@.type!='Ready')].type", ["Initialized"], id="a filter that excludes"),
        pytest.param(".status.conditions[?(@.reason)].type", ["Initialized"], id="a filter for a field's presence"),
        pytest.param(".status.containerStatuses[?(@.restartCount==2)].name", ["a"], id="a filter by number"),
        pytest.param(".status.containerStatuses[?(@.ready==true)].name", ["a"], id="a filter by truth"),
        pytest.param(".status.containerStatuses[x]", None, id="an index that is none"),
        pytest.param(".status.conditions[?(type)]", None, id="a filter that is none"),
    ],
)
def test_find(path: str, found: list[Any] | None) -> None:
    if found is None:
        with pytest.raises(UsageError, match=r"^jsonpath: "):
            find(path, POD)
    else:
        assert find(path, POD) == found


@pytest.mark.parametrize(
    ("template", "text"),
    [
        pytest.param("{.status.phase}", "Running", id="a value"),
        pytest.param(".status.phase", "Running", id="without braces"),
        pytest.param("status.phase", "Running", id="without braces and dot"),
        pytest.param("is {.status.phase}!", "is Running!", id="text around"),
        pytest.param("{.status.containerStatuses[*].name}", "a b", id="several values"),
        pytest.param("{.status.containerStatuses[0].ready}", "true", id="truth as JSON"),
        pytest.param("{.status.conditions[0]}", '{"type":"Ready","status":"True"}', id="an object as JSON"),
        pytest.param(
            r'{range .status.containerStatuses[*]}{.name}={.restartCount}{"\n"}{end}', "a=2\nb=0\n", id="a range"
        ),
        pytest.param("{range .x[*]}{.name}{end}none", "none", id="a range over nothing"),
        pytest.param('{"}"}', "}", id="a brace in quotes"),
        pytest.param("{.status.conditions[" + "9" * 5000 + "]}", "", id="far beyond the end"),
    ],
)
def test_fill(template: str, text: str) -> None:
    assert fill(template, POD) == text


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("{.status.phase", id="unclosed"),
        pytest.param("{.a}{end}", id="an end without its range"),
        pytest.param("{range .a[*]}{.b}", id="a range without its end"),
        pytest.param("{nonsense}", id="not a path"),
        pytest.param(r'{"\>"}', id="an unknown escape"),
    ],
)
def test_a_template_that_cannot_be_read(template: str) -> None:
    with pytest.raises(UsageError, match=r"^jsonpath: "):
        fill(template, POD)
