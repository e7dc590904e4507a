"""Server-side apply: who has which field."""

from __future__ import annotations

from typing import Any

import pytest

from initsup.api.applying import Managers, leaves
from initsup.api.failure import Failure

Object = dict[str, Any]


def pod(labels: dict[str, str] | None = None, **images: str) -> Object:
    found: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": labels or {}}}
    if images:
        found["spec"] = {"containers": [{"name": name, "image": image} for name, image in images.items()]}
    return found


def applied(managers: Managers, before: Object, document: Object, who: str, force: bool = False) -> Object:
    after = managers.applied(before, document, who, force=force)
    managers.note_applied(document, who)
    return after


def labels(one: Object) -> Object:
    found: Object = one["metadata"]["labels"]
    return found


def test_leaves_have_the_names_that_kubernetes_gives_them() -> None:
    assert leaves({**pod({"a": "b"}, web="nginx"), "status": {"phase": "Running"}}) == {
        ".metadata.labels.a": "b",
        '.spec.containers[name="web"].name': "web",
        '.spec.containers[name="web"].image': "nginx",
    }


def test_what_nobody_has_is_free() -> None:
    assert labels(applied(Managers(), pod({"a": "1"}), pod({"a": "2"}), "one")) == {"a": "2"}


def test_what_another_has_is_not() -> None:
    managers = Managers()
    after = applied(managers, pod(), pod({"a": "1"}), "one")
    with pytest.raises(Failure) as refused:
        applied(managers, after, pod({"a": "2"}), "two")
    status = refused.value.status()
    assert (status["code"], status["reason"]) == (409, "Conflict")
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "one" using v1: .metadata.labels.a'
    assert status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one" using v1', "field": ".metadata.labels.a"}
    ]


def test_several_conflicts_are_listed() -> None:
    managers = Managers()
    after = applied(managers, pod(), pod({"a": "1", "b": "1"}), "one")
    with pytest.raises(Failure) as refused:
        applied(managers, after, pod({"a": "2", "b": "2"}), "two")
    assert refused.value.message == (
        'Apply failed with 2 conflicts: conflicts with "one" using v1:\n- .metadata.labels.a\n- .metadata.labels.b'
    )


def test_the_same_value_is_shared() -> None:
    managers = Managers()
    after = applied(managers, pod(), pod({"a": "1"}), "one")
    assert labels(applied(managers, after, pod({"a": "1"}), "two")) == {"a": "1"}


def test_force_takes_it() -> None:
    managers = Managers()
    after = applied(managers, pod(), pod({"a": "1"}), "one")
    after = applied(managers, after, pod({"a": "2"}), "two", force=True)
    assert labels(after) == {"a": "2"}
    with pytest.raises(Failure):
        applied(managers, after, pod({"a": "1"}), "one")


def test_what_a_manager_applies_no_more_goes() -> None:
    managers = Managers()
    after = applied(managers, pod({"kept": "1"}), pod({"a": "1", "b": "1"}), "one")
    assert labels(applied(managers, after, pod({"a": "1"}), "one")) == {"kept": "1", "a": "1"}


def test_but_not_while_another_has_it() -> None:
    managers = Managers()
    after = applied(managers, pod(), pod({"a": "1"}), "one")
    after = applied(managers, after, pod({"a": "1"}), "two")
    assert labels(applied(managers, after, pod(), "one")) == {"a": "1"}


def test_items_of_lists_go_as_a_whole() -> None:
    managers = Managers()
    after = applied(managers, pod(web="1"), pod(side="1"), "one")
    assert [one["name"] for one in after["spec"]["containers"]] == ["web", "side"]
    after = applied(managers, after, pod(), "one")
    assert [one["name"] for one in after["spec"]["containers"]] == ["web"]


def test_other_ways_to_change_a_field_take_it_without_asking() -> None:
    managers = Managers()
    before = applied(managers, pod(), pod({"a": "1"}), "one")
    managers.note_changed(before, pod({"a": "2"}), "kubectl-label")
    with pytest.raises(Failure, match=r'conflict with "kubectl-label" using v1 at 20\d\d-.*: .metadata.labels.a'):
        applied(managers, pod({"a": "2"}), pod({"a": "1"}), "one")
