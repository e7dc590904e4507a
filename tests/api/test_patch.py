"""The three kinds of patches."""

from __future__ import annotations

from typing import Any

import pytest

from initsup.api.failure import Failure
from initsup.api.patch import APPLY, JSON_PATCH, MERGE, STRATEGIC, patched

POD: dict[str, Any] = {
    "metadata": {"labels": {"a": "1", "b/c": "2"}, "finalizers": ["x"]},
    "spec": {
        "containers": [
            {"name": "one", "image": "i", "env": [{"name": "A", "value": "1"}], "args": ["p", "q"]},
            {"name": "two", "image": "j", "ports": [{"containerPort": 80}]},
        ]
    },
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The pod with one value changed; None takes it away."""
    import copy

    tree: Any = copy.deepcopy(POD)
    *steps, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    at = tree
    for step in steps:
        at = at[step]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return dict(tree)


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        pytest.param({"metadata": {"labels": {"a": "9"}}}, changed("metadata.labels.a", "9"), id="a value changes"),
        pytest.param({"metadata": {"labels": {"a": None}}}, changed("metadata.labels.a", None), id="null takes away"),
        pytest.param({"spec": {"containers": []}}, changed("spec.containers", []), id="a list is replaced"),
        pytest.param({"spec": {"x": {"y": None}}}, changed("spec.x", {}), id="null in what is new"),
    ],
)
def test_merge(patch: Any, result: Any) -> None:
    assert patched(POD, MERGE, patch) == result


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        pytest.param(
            {"spec": {"containers": [{"name": "two", "image": "k"}]}},
            changed("spec.containers.1.image", "k"),
            id="an item is found by its key",
        ),
        pytest.param(
            {"spec": {"containers": [{"name": "one", "env": [{"name": "B", "value": "2"}]}]}},
            changed("spec.containers.0.env", [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]),
            id="a new item is added",
        ),
        pytest.param(
            {"spec": {"containers": [{"name": "one", "args": ["r"]}]}},
            changed("spec.containers.0.args", ["r"]),
            id="a list without a key is replaced",
        ),
        pytest.param(
            {"spec": {"containers": [{"name": "one", "$patch": "delete"}]}},
            changed("spec.containers.0", None),
            id="$patch: delete",
        ),
        pytest.param(
            {"spec": {"containers": [{"name": "z"}, {"$patch": "replace"}]}},
            changed("spec.containers", [{"name": "z"}]),
            id="$patch: replace of a list",
        ),
        pytest.param(
            {"metadata": {"labels": {"$patch": "replace", "z": "1"}}},
            changed("metadata.labels", {"z": "1"}),
            id="$patch: replace of a map",
        ),
        pytest.param(
            {"spec": {"$setElementOrder/containers": [{"name": "two"}, {"name": "one"}]}},
            changed("spec.containers", POD["spec"]["containers"][::-1]),
            id="$setElementOrder",
        ),
        pytest.param(
            {"metadata": {"finalizers": ["y"]}}, changed("metadata.finalizers", ["x", "y"]), id="a set is merged"
        ),
        pytest.param(
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}},
            changed("metadata.finalizers", []),
            id="$deleteFromPrimitiveList",
        ),
        pytest.param({"metadata": {"$retainKeys": ["labels"]}}, changed("metadata.finalizers", None), id="$retainKeys"),
    ],
)
def test_strategic(patch: Any, result: Any) -> None:
    assert patched(POD, STRATEGIC, patch) == result
    assert patched(POD, APPLY[0], patch) == result


@pytest.mark.parametrize(
    ("steps", "result"),
    [
        pytest.param(
            [{"op": "add", "path": "/metadata/labels/z", "value": "1"}],
            changed("metadata.labels.z", "1"),
            id="add to a map",
        ),
        pytest.param(
            [{"op": "replace", "path": "/metadata/labels/b~1c", "value": "9"}],
            changed("metadata.labels.b/c", "9"),
            id="a slash in a name",
        ),
        pytest.param(
            [{"op": "add", "path": "/metadata/finalizers/-", "value": "y"}],
            changed("metadata.finalizers", ["x", "y"]),
            id="add at the end",
        ),
        pytest.param(
            [{"op": "add", "path": "/metadata/finalizers/0", "value": "y"}],
            changed("metadata.finalizers", ["y", "x"]),
            id="add at the begin",
        ),
        pytest.param([{"op": "remove", "path": "/spec/containers/1"}], changed("spec.containers.1", None), id="remove"),
        pytest.param(
            [
                {"op": "test", "path": "/metadata/labels/a", "value": "1"},
                {"op": "remove", "path": "/metadata/labels/a"},
            ],
            changed("metadata.labels.a", None),
            id="test, then remove",
        ),
        pytest.param(
            [{"op": "copy", "from": "/metadata/labels/a", "path": "/metadata/labels/z"}],
            changed("metadata.labels.z", "1"),
            id="copy",
        ),
    ],
)
def test_json_patch(steps: Any, result: Any) -> None:
    assert patched(POD, JSON_PATCH, steps) == result


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        pytest.param("text/plain", {}, 415, id="no patch at all"),
        pytest.param(MERGE, [], 400, id="a list is no merge patch"),
        pytest.param(STRATEGIC, {"spec": {"containers": [{"image": "x"}]}}, 400, id="an item without its key"),
        pytest.param(STRATEGIC, {"$patch": "frobnicate"}, 400, id="an unknown directive"),
        pytest.param(JSON_PATCH, {}, 400, id="a map is no JSON patch"),
        pytest.param(JSON_PATCH, [{"op": "replace", "path": "", "value": 1}], 400, id="what is left is no object"),
        pytest.param(JSON_PATCH, [{"op": "remove", "path": "/a"}] * 10001, 413, id="too many operations"),
    ],
)
def test_what_is_wrong_is_refused(kind: str, body: Any, code: int) -> None:
    with pytest.raises(Failure) as refused:
        patched(POD, kind, body)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("step", "message"),
    [
        pytest.param({"op": "test", "path": "/metadata/labels/a", "value": "2"},
                     "testing value /metadata/labels/a failed", id="a test that fails"),
        pytest.param({"op": "remove", "path": "/spec/containers/7"}, "there is no 7", id="beyond the end"),
        pytest.param({"op": "remove", "path": "/metadata/none"}, "there is no none", id="not there"),
        pytest.param({"op": "replace", "path": "/metadata/none", "value": 1}, "there is no none", id="to replace"),
        pytest.param({"op": "add", "path": "/metadata/labels/a/x", "value": 1}, "there is no x", id="in a word"),
        pytest.param({"op": "add", "path": "/spec/containers/x", "value": 1}, "there is no x", id="no index"),
        pytest.param({"op": "remove", "path": ""}, "the whole cannot be removed", id="all of it"),
        pytest.param({"op": "remove", "path": 1}, "path must begin with a slash", id="a path that is no string"),
        pytest.param({"op": "add", "path": "/a"}, "value is missing", id="no value"),
        pytest.param({"path": "/a"}, "op is missing", id="no operation"),
        pytest.param({"op": "fly", "path": "/a"}, "unknown operation fly", id="an unknown one"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_json_patch_is_said_in_words(step: Any, message: str) -> None:
    with pytest.raises(Failure) as refused:
        patched(POD, JSON_PATCH, [step])
    told = "the server rejected our request due to an error in our request: operation 0: "
    assert (refused.value.code, refused.value.message) == (422, told + message)


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        pytest.param([{"op": "copy", "from": "", "path": f"/{n}"} for n in range(40)], 413, id="doubled and doubled"),
        pytest.param([{"op": "add", "path": "/metadata", "value": {}},
                      *({"op": "move", "from": "/metadata", "path": "/spec/x"},
                        {"op": "add", "path": "/metadata", "value": {}},
                        {"op": "move", "from": "/spec", "path": "/metadata/x"},
                        {"op": "add", "path": "/spec", "value": {}},) * 400,
                      {"op": "copy", "from": "/metadata", "path": "/z"}], 422, id="deeper and deeper"),
    ],
)  # fmt: skip
def test_a_json_patch_that_grows_beyond_measure_is_refused(steps: Any, code: int) -> None:
    with pytest.raises(Failure) as refused:
        patched(POD, JSON_PATCH, steps)
    assert refused.value.code == code


class Name(str):
    """Counts how often one is compared with another."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return str.__eq__(self, other)


MANY = [{"name": Name(f"c{n}"), "image": "x"} for n in range(20_000)]


@pytest.mark.parametrize(
    ("patch", "count", "first"),
    [
        pytest.param({"containers": MANY}, 20_002, "one", id="to merge"),
        pytest.param({"containers": [{**one, "$patch": "delete"} for one in MANY]}, 2, "one", id="to delete"),
        pytest.param({"containers": MANY, "$setElementOrder/containers": MANY[::-1]}, 20_002, "c19999", id="to order"),
    ],
)
def test_a_patch_of_many_items_takes_no_longer_for_each(patch: Any, count: int, first: str) -> None:
    Name.compared = 0
    found = patched(POD, STRATEGIC, {"spec": patch})["spec"]["containers"]
    assert Name.compared < 4 * len(MANY)
    assert (len(found), found[0]["name"]) == (count, first)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(5, id="no list"),
        pytest.param(["x"], id="plain values"),
        pytest.param([{"$patch": "replace"}, {"name": []}], id="names that are none"),
    ],
)
def test_a_list_that_the_patch_itself_has_spoilt_is_merged_all_the_same(first: Any) -> None:
    patch = {"containers": [{"name": "new", "env": first}, {"name": "new", "env": [{"name": "b"}]}]}
    assert patched(POD, STRATEGIC, {"spec": patch})["spec"]["containers"][-1]["env"][-1] == {"name": "b"}


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({"metadata": {"$deleteFromPrimitiveList/finalizers": 5}}, id="no list to delete"),
        pytest.param({"spec": {"containers": [{"$patch": "replace"}, 5]}}, id="no object among new ones"),
    ],
)
def test_a_strategic_patch_that_makes_no_sense_is_refused(patch: Any) -> None:
    with pytest.raises(Failure) as refused:
        patched(POD, STRATEGIC, patch)
    assert refused.value.code == 400


class Counted(dict[str, Any]):
    """Counts how often it is copied."""

    copies = 0

    def __deepcopy__(self, memo: Any) -> Counted:
        self.copies += 1
        return self


def test_what_is_moved_is_not_copied() -> None:
    large = Counted()
    steps = [{"op": "add", "path": "/a", "value": large}]
    steps += [{"op": "move", "from": f"/{one}", "path": f"/{two}"} for one, two in ("ab", "ba")] * 10
    assert patched(POD, JSON_PATCH, steps)["a"] is large
    assert large.copies == 1


def test_the_object_is_left_as_it_was() -> None:
    before = str(POD)
    patched(POD, STRATEGIC, {"spec": {"containers": [{"name": "one", "env": [{"name": "A", "value": "7"}]}]}})
    patched(POD, JSON_PATCH, [{"op": "remove", "path": "/spec/containers/0/env/0"}])
    assert str(POD) == before
