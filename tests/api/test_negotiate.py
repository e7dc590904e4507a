"""In which form an answer is given."""

from __future__ import annotations

import pytest

from initsup.api.exchange import Request
from initsup.api.failure import Failure
from initsup.api.negotiate import form

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(
    ("accept", "shape"),
    [
        pytest.param("", "object", id="whatever"),
        pytest.param("*/*", "object", id="anything"),
        pytest.param("application/json", "object", id="JSON"),
        pytest.param(f"{TABLE},application/json", "table", id="a table"),
        pytest.param("application/json; as=Table; v=v1; g=meta.k8s.io", "table", id="a table, with blanks"),
        pytest.param("application/vnd.kubernetes.protobuf,application/json", "object", id="protobuf or JSON"),
        pytest.param("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", "metadata", id="metadata only"),
    ],
)
def test_the_form_follows_accept(accept: str, shape: str) -> None:
    assert form(Request(method="GET", path="/", headers={"accept": accept})).shape == shape


@pytest.mark.parametrize(
    "accept",
    [
        "application/vnd.kubernetes.protobuf",
        "text/html",
        "application/json;as=Table;v=v2",
        "application/json;as=Scale;v=v1",
    ],
)
def test_a_form_that_we_have_not_is_refused(accept: str) -> None:
    with pytest.raises(Failure) as refused:
        form(Request(method="GET", path="/", headers={"accept": accept}))
    assert refused.value.code == 406


@pytest.mark.parametrize("query", [{"watch": [word]} for word in ("1", "true", "True", "yes", "")])
def test_what_is_given_is_true(query: dict[str, list[str]]) -> None:
    assert Request(method="GET", path="/", query=query).flag("watch")


@pytest.mark.parametrize("query", [{}, *({"watch": [word]} for word in ("0", "false", "False"))])
def test_what_is_not_given_or_false_is_not(query: dict[str, list[str]]) -> None:
    assert not Request(method="GET", path="/", query=query).flag("watch")
