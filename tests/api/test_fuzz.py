"""Whatever is sent to whatever is served: an answer or a refusal, never a fault of ours."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from initsup.api.cluster import Cluster
from initsup.api.exchange import Reply, Request, Stream, refusal
from initsup.api.failure import Failure
from initsup.api.openapi import old_tree
from initsup.core.report import Where
from initsup.engine import Engine
from initsup.journal import Journal
from initsup.load.default import with_defaults
from initsup.spec.manifest import ConfigMap, Secret
from initsup.spec.pod import ObjectMeta
from tests.build import container, ephemeral, planned, sidecar
from tests.fake_node import FakeNode, Habit

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
MERGE = "application/merge-patch+json"
FORMS = (
    "application/json", MERGE, "application/strategic-merge-patch+json", "application/json-patch+json",
    "application/apply-patch+yaml", "application/vnd.kubernetes.protobuf", "", "text/plain",
)  # fmt: skip
ACCEPTED = ("", "*/*", "application/json", "application/json;as=Table;v=v1;g=meta.k8s.io", "text/html", ";;,=",
            "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "application/yaml")  # fmt: skip
NAMES = {"pods": "p", "configmaps": "settings", "secrets": "word", "nodes": "here", "namespaces": "default"}
KINDS = ("SelfSubjectAccessReview", "DeleteOptions", "ConfigMap", "Secret", "Eviction", "Pod")

TREE = old_tree()
OPERATIONS = [
    (method, path, [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"])
    for path, item in TREE["paths"].items()
    for method, operation in item.items()
    if method != "parameters" and not path.endswith("/eviction") and "metrics" not in path
]
"""All but what would end the pod, and what looks at processes."""

words = st.text(max_size=8) | st.sampled_from(
    ["", "true", "0", "-1", "1", "9" * 30, "All", "Strict", "a=b", "a in (b,c),!d", "a notin (", "metadata.name=p",
     "status.phase!=x,", "2020-01-01T00:00:00Z", "a", "e", "NotOlderThan"]
)  # fmt: skip
leaves = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | words
trees = st.recursive(leaves, lambda of: st.lists(of, max_size=3) | st.dictionaries(words, of, max_size=3), max_leaves=8)
FIELDS = ("metadata", "spec", "data", "labels", "containers", "name", "image", "$patch", "$setElementOrder/containers",
          "$retainKeys", "ephemeralContainers", "kind", "stringData", "env", "finalizers", "uid")  # fmt: skip
likely = st.recursive(
    leaves,
    lambda of: st.lists(of, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), of, max_size=4),
    max_leaves=10,
)
steps = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"])},
        optional={
            "path": st.sampled_from(["", "/", "/metadata", "/spec/containers/0/image", "/spec/containers/-", "/a~2"]),
            "from": st.sampled_from(["/metadata", "/spec/containers/9", ""]),
            "value": trees,
        },
    ),
    max_size=3,
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home: Path = tmp_path_factory.mktemp("fuzz")
    plan = planned(container("a"), container("b"), inits=(sidecar("s"),), ephemeral_containers=(ephemeral("e"),))
    maps = {"settings": ConfigMap(metadata=ObjectMeta(name="settings"), data={"a": "b"})}
    secrets = {"word": Secret(metadata=ObjectMeta(name="word"), data={"a": b"b"})}
    asked = msgspec.structs.replace(with_defaults(plan.asked), config_maps=maps, secrets=secrets)
    plan = msgspec.structs.replace(plan, asked=asked)
    node = FakeNode(dict.fromkeys(plan.members, Habit()), Engine.now)
    engine = Engine(
        plan, node, Journal(str(home / "journal"), plan, 0.0), lambda: Where(ips=("192.0.2.1",)), host="here"
    )
    engine.step()
    yield Cluster(engine, str(home))
    node.close()
    engine.journal.close()


@st.composite
def requests(draw: Any, cluster: Cluster) -> Request:
    method, path, known = draw(st.sampled_from(OPERATIONS))
    resource = path.partition("/{name}")[0].rpartition("/")[2]
    name = NAMES.get(resource, "x")
    names = {"{namespace}": "default", "{name}": name if draw(st.integers(0, 5)) else draw(words)}
    for place, text in names.items():
        path = path.replace(place, text)
    query = {key: [draw(words)] for key in known if draw(st.integers(0, 2)) == 0}
    if method == "delete":
        query["dryRun"] = ["All"]
    headers = {"accept": draw(st.sampled_from(ACCEPTED)), "content-type": draw(st.sampled_from(FORMS))}
    if draw(st.booleans()):
        headers |= {"upgrade": draw(st.sampled_from(["websocket", "SPDY/3.1", "x"])), "connection": "upgrade"}
    own = cluster.store.get(resource, name)
    return Request(
        method=method.upper(), path=path, query=query, headers=headers, body=draw(bodies(own)), user="someone"
    )


@st.composite
def bodies(draw: Any, own: Any) -> bytes:
    """Nonsense, something that looks right, or the object itself with a change somewhere."""
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return bytes(draw(st.binary(max_size=20)))
    if kind == 1:
        envelope = (
            b"\n" + bytes((2 + len(name := draw(st.sampled_from(KINDS)).encode()),)) + b"\x12" + bytes((len(name),))
        )
        return b"k8s\0" + envelope + name + b"\x12" + bytes((len(raw := draw(st.binary(max_size=30))),)) + bytes(raw)
    if kind == 2:
        return json.dumps(draw(steps)).encode()
    if kind == 3 and own is not None:
        changed = copy.deepcopy(own)
        changed["metadata"].pop("resourceVersion", None)
        _spoil(draw, changed)
        return json.dumps(changed).encode()
    return json.dumps(draw(likely if kind == 4 else trees)).encode()


def _spoil(draw: Any, tree: Any) -> None:
    """Put something else somewhere into it."""
    while True:
        places = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        if not places:
            return
        at = draw(st.sampled_from(places))
        if not isinstance(tree[at], dict | list) or not tree[at] or draw(st.integers(0, 3)) == 0:
            tree[at] = draw(trees)
            return
        tree = tree[at]


@settings(
    max_examples=10000 if NIGHTLY else 200,
    derandomize=not NIGHTLY,
    deadline=None,
    phases=[Phase.generate, Phase.shrink] if NIGHTLY else [Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_there_is_always_an_answer(cluster: Cluster, data: st.DataObject) -> None:
    request = data.draw(requests(cluster))

    async def answered() -> int:
        try:
            answer = await cluster.answer(request)
        except Failure as refused:
            return refusal(refused).code
        if isinstance(answer, Stream):
            await answer.pieces.aclose()  # type: ignore[attr-defined]
            return 200
        return answer.code if isinstance(answer, Reply) else 101

    assert anyio.run(answered) != 500
