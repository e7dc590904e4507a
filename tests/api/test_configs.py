"""ConfigMaps and Secrets, changed while the pod runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.live import Live

pytestmark = pytest.mark.real
MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"

POD = """\
metadata = {name = "live"}
terminationGracePeriodSeconds = 2

[[containers]]
name = "app"
command = ["sh", "-c", "while :; do sleep 0.1; done"]
volumeMounts = [{name = "v", mountPath = "/mnt/initsup-configs"}]

[[containers]]
name = "late"
command = ["sh", "-c", "echo $WORD; sleep 60"]
env = [{name = "WORD", valueFrom = {configMapKeyRef = {name = "missing", key = "word"}}}]

[[volumes]]
name = "v"
configMap = {name = "settings"}

[configMaps.settings.data]
a = "b"

[configMaps.fixed]
immutable = true
data = {a = "b"}

[secrets.password]
stringData = {word = "s3cret"}
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    run = Live(tmp_path_factory.mktemp("configs"), POD)
    yield run
    run.stop()
    assert "Traceback" not in run.faults


def a_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_what_waits_for_one_goes_on(live: Live) -> None:
    pod = "/api/v1/namespaces/default/pods/live"

    def late() -> str:
        return str(next(one for one in live.ask(pod)[1]["status"]["containerStatuses"] if one["name"] == "late"))

    live.until(lambda: "CreateContainerConfigError" in late())
    code, one = live.ask(MAPS, "POST", a_map("missing", word="there"))
    assert (code, one["data"]) == (201, {"word": "there"})
    live.until(lambda: live.ask(f"{pod}/log?container=late")[1] == "there\n")


def test_volumes_show_what_was_changed(live: Live) -> None:
    assert live.ask(f"{MAPS}/settings", "PATCH", {"data": {"a": "c"}}, Content_Type=MERGE)[0] == 200
    assert live.ask(f"{MAPS}/settings")[1]["data"] == {"a": "c"}
    code, words = live.ask("/api/v1/namespaces/default/pods/live", "GET")
    assert code == 200
    assert "degraded" not in str(words["metadata"].get("annotations"))


def test_one_comes_and_goes(live: Live) -> None:
    code, one = live.ask(MAPS, "POST", a_map("passing", x="1"))
    assert code == 201
    one["data"]["x"] = "2"
    code, after = live.ask(f"{MAPS}/passing", "PUT", one)
    assert (code, after["data"]) == (200, {"x": "2"})
    assert live.ask(f"{MAPS}/passing", "PUT", one)[0] == 409  # its version is an old one by now
    assert live.ask(f"{MAPS}/passing", "DELETE")[1]["status"] == "Success"
    assert live.ask(f"{MAPS}/passing")[0] == 404


def test_what_is_applied_and_not_there_is_created(live: Live) -> None:
    path = f"{MAPS}/applied?fieldManager=me"
    code, one = live.ask(path, "PATCH", a_map("applied", x="1"), Content_Type=APPLY)
    assert (code, one["data"], one["metadata"]["name"]) == (201, {"x": "1"}, "applied")
    other = path.replace("=me", "=you")
    code, status = live.ask(other, "PATCH", a_map("applied", x="2"), Content_Type=APPLY)
    assert (code, status["message"]) == (409, 'Apply failed with 1 conflict: conflict with "me" using v1: .data.x')
    code, one = live.ask(path, "PATCH", a_map("applied", y="2"), Content_Type=APPLY)
    assert (code, one["data"]) == (200, {"y": "2"})


def test_who_creates_one_has_its_fields(live: Live) -> None:
    assert live.ask(f"{MAPS}?fieldManager=maker", "POST", a_map("made", x="1"))[0] == 201
    code, status = live.ask(f"{MAPS}/made?fieldManager=me", "PATCH", a_map("made", x="2"), Content_Type=APPLY)
    assert code == 409
    assert 'conflict with "maker" using v1 at ' in status["message"]


def test_a_secret_takes_plain_words(live: Live) -> None:
    secret = {"kind": "Secret", "metadata": {"generateName": "s-"}, "stringData": {"a": "word"}}
    code, one = live.ask(SECRETS, "POST", secret)
    assert (code, one["data"], one["type"]) == (201, {"a": "d29yZA=="}, "Opaque")
    assert one["metadata"]["name"].startswith("s-")


def test_a_dry_run_changes_nothing(live: Live) -> None:
    assert live.ask(f"{MAPS}?dryRun=All", "POST", a_map("dry"))[0] == 201
    assert live.ask(f"{MAPS}/dry")[0] == 404
    assert live.ask(f"{MAPS}/fixed?dryRun=All", "DELETE")[0] == 200
    assert live.ask(f"{MAPS}/fixed")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "message"),
    [
        pytest.param("PATCH", f"{MAPS}/x?fieldManager=m", a_map("y"), 400, "does not match the name on", id="misnamed"),
        pytest.param("PATCH", f"{MAPS}/x", a_map("x"), 422, "fieldManager: Required value", id="by nobody"),
        pytest.param("PATCH", f"{MAPS}/x?fieldManager=m", [], 400, "must be an object", id="a list"),
        pytest.param("PATCH", "/api/v1/namespaces/default/pods/x?fieldManager=m", {"metadata": {"name": "x"}}, 403,
                     "initsup runs one pod", id="a pod"),
        pytest.param("POST", MAPS, a_map("settings"), 409, 'configmaps "settings" already exists', id="twice"),
        pytest.param("POST", MAPS, a_map("A_B"), 422, "a lowercase RFC 1123 subdomain", id="a bad name"),
        pytest.param("POST", MAPS, a_map(""), 422, "name or generateName is required", id="no name"),
        pytest.param("POST", MAPS, a_map("x", **{"a b": ""}), 422, "a valid config key must", id="a bad key"),
        pytest.param("POST", MAPS, {**a_map("x"), "kind": "Secret"}, 400, "must be ConfigMap", id="another kind"),
        pytest.param("POST", MAPS, {**a_map("x"), "data": {"a": 1}}, 400, "cannot be handled as", id="no word"),
        pytest.param("POST", f"{MAPS}?fieldValidation=Strict", {**a_map("x"), "dta": {}}, 400,
                     'strict decoding error: unknown field "dta"', id="an unknown field"),
        pytest.param("POST", MAPS.replace("default", "kube-system"), a_map("x"), 403, "in namespace", id="elsewhere"),
        pytest.param("POST", MAPS.replace("default", "none"), a_map("x"), 404, '"none" not found', id="nowhere"),
        pytest.param("PUT", f"{MAPS}/fixed", a_map("fixed", a="c"), 422, "field is immutable when", id="immutable"),
        pytest.param("PUT", f"{SECRETS}/password", {"metadata": {"name": "password"}, "type": "other"}, 422,
                     "field is immutable", id="its type"),
        pytest.param("PUT", f"{MAPS}/fixed", a_map("other"), 400, "does not match the name on", id="a new name"),
        pytest.param("DELETE", f"{MAPS}/none", None, 404, 'configmaps "none" not found', id="not there"),
        pytest.param("DELETE", f"{MAPS}/settings", {"preconditions": {"uid": "x"}}, 409, "Precondition failed: UID in",
                     id="another one"),
        pytest.param("DELETE", MAPS, None, 405, "does not allow this method", id="all of them"),
    ],
)  # fmt: skip
def test_refusals_are_the_api_servers(live: Live, method: str, path: str, body: Any, code: int, message: str) -> None:
    form = APPLY if method == "PATCH" else "application/json"
    found, status = live.ask(path, method, body, Content_Type=form)
    assert (found, status["kind"]) == (code, "Status")
    assert message in status["message"]
