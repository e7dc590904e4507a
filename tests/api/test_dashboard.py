"""The page as it is sent, and what it asks: without a browser."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from initsup.api.dashboard import page
from initsup.cli.dashboard import fingerprint
from tests.api.live import Live, exchange
from tests.stories.driver import cli

HTML = page().body.decode()
MARKUP = re.sub(r"<(script|style)>.*?</\1>", "", HTML, flags=re.S)
HEADERS = dict(page().headers)
POLICY = dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))


# -- the page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["script", "style"])
def test_only_what_the_page_brings_along_may_run(tag: str) -> None:
    (inline,) = re.findall(f"<{tag}>(.*?)</{tag}>", HTML, flags=re.S)
    assert len(inline) > 1000
    assert POLICY[f"{tag}-src"] == f"'sha256-{b64encode(sha256(inline.encode()).digest()).decode()}'"
    assert POLICY["default-src"] == POLICY["frame-ancestors"] == POLICY["base-uri"] == POLICY["form-action"] == "'none'"


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", id="markup from text"
        ),
        pytest.param(r"(src|href)\s*=\s*[\"'](?!data:)", id="anything from elsewhere"),
        pytest.param(r"https?://(?!www\.w3\.org/2000/svg)", id="addresses"),
    ],
)
def test_the_page_has_no(pattern: str) -> None:
    assert not re.search(pattern, HTML)


def test_nothing_runs_from_the_markup() -> None:
    assert not re.search(r"\s(on[a-z]+|style)\s*=", MARKUP)


def test_every_element_that_is_looked_up_is_there() -> None:
    ids = set(re.findall(r'\bid="([\w-]+)"', HTML))
    assert set(re.findall(r'\$\("([\w-]+)"\)', HTML)) <= ids


# -- what it asks -----------------------------------------------------------------------------------------------------


pytestmark = pytest.mark.real


def browse(live: Live, method: str = "GET", accept: str = "text/html", *headers: str) -> tuple[int, bytes]:
    words = [f"{method} / HTTP/1.1", "Host: 127.0.0.1", "Connection: close", f"Accept: {accept}", *headers, "", ""]
    return exchange(live.tcp(), "\r\n".join(words).encode())


def test_a_browser_without_a_token_gets_the_page(live: Live) -> None:
    assert browse(live) == (200, page().body)


@pytest.mark.parametrize(
    ("method", "accept", "code"),
    [
        pytest.param("HEAD", "text/html", 200, id="its head"),
        pytest.param("POST", "text/html", 405, id="nothing can be done to it"),
        pytest.param("GET", "application/json", 401, id="the paths need the token"),
    ],
)
def test_and_nothing_else(live: Live, method: str, accept: str, code: int) -> None:
    assert browse(live, method, accept, "Content-Length: 0")[0] == code


def test_other_clients_get_the_paths(live: Live) -> None:
    assert "/api" in live.ask("/", Accept="application/json")[1]["paths"]


def test_the_time_line(live: Live) -> None:
    code, chart = live.ask("/dashboard/timeline")
    assert code == 200
    assert [(row["name"], row["kind"]) for row in chart["rows"]] == [("live", "pod"), ("app", "main"), ("talk", "main")]
    assert chart["rows"][1]["boxes"][-1]["look"] == "ready"
    live.until(lambda: live.ask("/dashboard/timeline?last=1")[1]["until"] > chart["until"])


def test_a_restart(live: Live) -> None:
    assert live.ask("/dashboard/restart?container=app", "POST") == (200, {"containers": ["app"]})

    def restarted() -> bool:
        row = live.ask("/dashboard/timeline")[1]["rows"][1]
        return row["restarts"] == 1 and "asked" in [pin["sign"] for pin in row["pins"]]

    live.until(restarted)


def test_a_container_that_is_added_gets_a_row(live: Live) -> None:
    before = [row["name"] for row in live.ask("/dashboard/timeline")[1]["rows"]]
    assert cli("debug", "--state-dir", str(live.state), "-c", "look", "--", "true").returncode == 0

    def seen() -> bool:
        rows = live.ask("/dashboard/timeline")[1]["rows"]
        return [row["name"] for row in rows] == [*before, "look"] and [pin["sign"] for pin in rows[-1]["pins"]] == [
            "done"
        ]

    live.until(seen)
    assert cli("timeline", "--state-dir", str(live.state), "-o", "json").returncode == 0


@pytest.mark.parametrize(
    ("path", "method", "code"),
    [
        pytest.param("/dashboard", "GET", 404, id="nothing"),
        pytest.param("/dashboard/other", "GET", 404, id="something else"),
        pytest.param("/dashboard/timeline", "POST", 405, id="the time line cannot be changed"),
        pytest.param("/dashboard/timeline?last=0", "GET", 400, id="no time"),
        pytest.param("/dashboard/timeline?first=x", "GET", 400, id="no number"),
        pytest.param("/dashboard/restart?container=app", "GET", 405, id="a link restarts nothing"),
        pytest.param("/dashboard/restart?container=none", "POST", 400, id="no such container"),
    ],
)
def test_what_is_refused(live: Live, path: str, method: str, code: int) -> None:
    assert live.ask(path, method)[0] == code


def test_the_address_has_the_token_where_it_is_never_sent(live: Live) -> None:
    done = cli("dashboard", "--state-dir", str(live.state))
    host, port = live.address
    assert done.stdout == f"https://{host}:{port}/#token={live.token}\n"
    assert done.stderr == ""


def test_the_fingerprint_is_the_one_that_browsers_show(live: Live) -> None:
    authority = live.kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]
    with live.tcp() as connection:
        certificate = connection.getpeercert(binary_form=True)  # type: ignore[attr-defined]
    assert fingerprint(b64decode(authority).decode()).split(":") == [
        f"{byte:02X}" for byte in sha256(certificate).digest()
    ]


def test_no_pod_no_address(tmp_path: Path) -> None:
    done = cli("dashboard", "--state-dir", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "no initsup is running" in done.stderr
