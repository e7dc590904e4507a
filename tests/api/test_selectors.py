"""Label and field selectors."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from initsup.api.failure import Failure
from initsup.api.selectors import Selection, field_selector, label_selector

LABELS = {"app": "web", "tier": "front", "size": "3"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        pytest.param("", True, id="nothing asked is all"),
        pytest.param("app=web", True, id="equal"),
        pytest.param("app==web", True, id="equal, twice written"),
        pytest.param("app=db", False, id="not equal"),
        pytest.param("app!=db", True, id="unequal"),
        pytest.param("none!=db", True, id="unequal holds where there is no label"),
        pytest.param("app", True, id="there is one"),
        pytest.param("none", False, id="there is none"),
        pytest.param("!none", True, id="there must be none"),
        pytest.param("! app", False, id="there is one that must not be"),
        pytest.param("app in (web, db)", True, id="in a set"),
        pytest.param("none in (,web)", False, id="in a set with nothing"),
        pytest.param("app!=", True, id="not empty"),
        pytest.param("!example.com/app", True, id="a label with a prefix"),
        pytest.param("app in (db)", False, id="not in the set"),
        pytest.param("app notin (db,cache)", True, id="outside of a set"),
        pytest.param("none notin (db)", True, id="outside of a set, as there is no label"),
        pytest.param("app in (web,db),tier=front,!none", True, id="all must hold"),
        pytest.param("app in (web,db),tier=back", False, id="one does not"),
        pytest.param("size>2,size<4", True, id="numbers"),
        pytest.param("app>2", False, id="a word is no number"),
    ],
)
def test_labels(text: str, matches: bool) -> None:
    assert label_selector(text)(LABELS) is matches


@pytest.mark.parametrize(
    "text",
    [
        *("a b", "app in web", "=x", "size>many", "(a)", "-a", "a===b", "a=b=c", "a,,b"),
        *("a in ()", "a in (b c)", "a=-b", "a!=b(", "a notin (/)", "/a", "a/b/c", "!a/", "a=" + "x" * 64),
    ],
)
def test_what_is_no_label_selector_is_refused(text: str) -> None:
    with pytest.raises(Failure) as refused:
        label_selector(text)
    assert refused.value.code == 400


POD = {
    "metadata": {"name": "web", "namespace": "default", "labels": LABELS},
    "spec": {"nodeName": "here", "hostNetwork": True},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        pytest.param("metadata.name=web", True, id="equal"),
        pytest.param("metadata.name==web,status.phase=Running", True, id="both"),
        pytest.param("status.phase!=Running", False, id="unequal"),
        pytest.param("spec.hostNetwork=true", True, id="a truth"),
        pytest.param("status.podIP=", True, id="nothing there"),
        pytest.param(r"metadata.name=web\,a", False, id="a comma in a value"),
        pytest.param(r"metadata.name!=\=web\\,status.phase=Running", True, id="other signs in a value"),
    ],
)
def test_fields(text: str, matches: bool) -> None:
    assert field_selector(text, "pods")(POD) is matches


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("spec.bogus=1", "field label not supported: spec.bogus", id="a field that is not indexed"),
        pytest.param("nonsense", "invalid selector: 'nonsense'", id="no comparison"),
    ],
)
def test_what_is_no_field_selector_is_refused(text: str, message: str) -> None:
    with pytest.raises(Failure, match=message):
        field_selector(text, "pods")


@pytest.mark.parametrize(
    ("read", "text"),
    [
        pytest.param(label_selector, "," * 60_000 + "(", id="labels"),
        pytest.param(lambda text: field_selector(text, "pods"), "a" * 30_000 + " " * 30_000 + "!", id="fields"),
    ],
)
def test_the_longest_selector_takes_no_longer_for_each_sign(read: Callable[[str], object], text: str) -> None:
    start = time.process_time()
    with pytest.raises(Failure):
        read(text)
    assert time.process_time() - start < 2  # it is some milliseconds, and was ten seconds


def test_a_selection_is_all_of_it() -> None:
    assert Selection("pods", "app=web", "metadata.name=web", "default", "web")(POD)
    assert not Selection("pods", namespace="other")(POD)
    assert not Selection("pods", name="other")(POD)
    assert not Selection("pods")(None)
