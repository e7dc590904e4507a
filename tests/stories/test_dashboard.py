"""The page in a real browser, on a pod that crashes, is restarted, replaced and stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import Browser
from tests.stories.driver import Story

pytestmark = pytest.mark.real

EVIL = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
APP = f"""\
trap 'exit 0' TERM
echo "instance begins"
echo "{EVIL}"
printf '\\033[31mred\\033[0m\\n'
n=0
while [ ! -e crash ]; do n=$((n+1)); echo "tick $n"; sleep 0.1; done
rm crash
echo "a needle, and another Needle"
exit 3
"""
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "page"},
    "spec": {
        "terminationGracePeriodSeconds": 5,
        "initContainers": [{"name": "prepare", "command": ["sh", "-c", "echo prepared"]}],
        "containers": [
            {"name": "app", "command": ["sh", "-c", APP]},
            {
                "name": "shy",
                "command": ["sleep", "1000"],
                "readinessProbe": {"periodSeconds": 1, "exec": {"command": ["sh", "-c", f'echo "{EVIL}"; exit 1']}},
            },
        ],
    },
}
SETTINGS = {
    "apiVersion": "initsup.dev/v1alpha1",
    "kind": "SupervisorConfiguration",
    "crashLoopBackOff": {"initialPeriod": "2s", "maxPeriod": "2s"},
}


class Page:
    """A run, and a browser that looks at it."""

    def __init__(self, story: Story, browser: Browser) -> None:
        self.story = story
        self.browser = browser
        story.until(lambda: story.container("app").get("ready"), "app runs")
        self.address = story.ask("dashboard").stdout.strip()

    def enter(self, address: str = "") -> None:
        self.browser.look()
        self.browser.open(address or self.address)
        self.until(lambda: len(self.browser.texts(".row")) == 4, "all rows are there")

    def show(self, name: str) -> None:
        """Choose the log of a container."""
        self.browser.click(f"#containers [data-name='{name}']")

    def until(self, look: Callable[[], Any], what: str) -> Any:
        return self.browser.until(look, what)

    def state(self, name: str) -> str:
        """What is said of a container beside its lane."""
        rows = [text.split("\n") for text in self.browser.texts(".row")]
        return next((" ".join(row[1:]) for row in rows if row[0] == name), "")

    def signs(self, name: str) -> list[str]:
        """The marks in a container's lane."""
        return self._parts(name, "u")

    def looks(self, name: str) -> list[str]:
        """The boxes in a container's lane."""
        return self._parts(name, "i")

    def _parts(self, name: str, tag: str) -> list[str]:
        script = """
            const rows = [...document.querySelectorAll(".row")].filter(x => x.innerText.startsWith(arguments[0]));
            return [...rows[0].querySelectorAll(`.lane ${arguments[1]}`)].map(x => x.className)"""
        return list(self.browser.run(script, name, tag))

    def lines(self) -> list[str]:
        return self.browser.texts("#lines li")

    def confirm(self) -> None:
        self.until(lambda: self.browser.run("return document.querySelector('dialog').open"), "it asks")
        self.browser.click("#ask-yes")


@pytest.fixture
def page(run: Callable[..., Story], home: Path) -> Iterator[Page]:
    (home / "pod.yaml").write_text(f"{json.dumps(POD)}\n---\n{json.dumps(SETTINGS)}\n")
    story = run(home / "pod.yaml", options=("--console", "none"), cwd=home)
    browser = Browser(home)  # after the run: a story takes what was started later for its own, so this one ends first
    try:
        yield Page(story, browser)
    finally:
        browser.close()


def test_a_crash_is_seen_while_it_happens_and_the_page_outlives_another_program(page: Page, home: Path) -> None:
    page.enter()
    assert page.browser.run("return location.href").endswith("/")  # the token is gone from the address
    assert page.state("app").startswith("Ready")
    assert page.state("prepare").startswith("init Completed")
    page.until(lambda: page.state("shy").startswith("Not ready"), "a probe fails")
    assert page.browser.text("#status") == "Running"
    page.until(lambda: {"app instance begins", "prepare prepared"} <= set(page.lines()), "all logs are shown at first")
    page.show("app")
    page.until(lambda: "tick 1" in page.lines(), "the log is followed")

    (home / "crash").touch()
    page.until(lambda: "Ready ×1" in page.state("app"), "it is started again at once")
    page.until(lambda: "app: restarted, instance 1" in page.lines(), "the log goes on with the new instance")
    page.until(
        lambda: "instance begins" in page.lines()[page.lines().index("app: restarted, instance 1") :],
        "and with its lines",
    )
    (home / "crash").touch()
    page.until(lambda: page.state("app").startswith("CrashLoopBackOff"), "the second crash has to wait")
    page.until(lambda: "back-off" in page.looks("app"), "it is in the time line")
    label = "return [...document.querySelectorAll('.lane')].map(x => x.ariaLabel).find(x => x.startsWith('app:'))"
    assert "1 restarts, 2 failures shown" in page.browser.run(label)
    page.until(lambda: "Ready ×2" in page.state("app"), "it runs again")
    assert "BackOff app" in page.browser.text("#events").replace("\n", " ")

    ticks = len(page.lines())
    assert page.story.ask("reexec").returncode == 0
    page.until(lambda: len(page.lines()) > ticks + 10, "the log goes on after the program was replaced")
    page.until(lambda: page.browser.text("#link") == "", "the connection is there again")
    numbers = [int(line.split()[1]) for line in page.lines() if line.startswith("tick ")]
    newest = numbers[len(numbers) - numbers[::-1].index(1) - 1 :]
    assert newest == list(range(1, len(newest) + 1)), "no line is missing, and none comes twice"
    page.until(lambda: "failed" in page.signs("app"), "the time line knows what was before")
    (home / "crash").touch()
    page.until(lambda: "×3" in page.state("app"), "changes are still seen")
    refused = [line for line in page.browser.console() if "net::ERR" not in line]
    assert refused == [], "the page's own policy forbids nothing that it does"


def test_the_log_can_be_searched_and_nothing_in_it_is_markup(page: Page, home: Path) -> None:
    browser = page.browser
    page.enter()
    page.show("app")
    page.until(lambda: EVIL in page.lines(), "the line is shown as it was written")
    assert "red" in page.lines()
    page.until(lambda: EVIL in browser.text("#events"), "so is the output of a probe")
    chart = {"ticks": [], "step": 1, "since": 0}
    row = {"name": EVIL, "kind": EVIL, "restarts": 0, "boxes": [], "pins": []}
    browser.run("showChart(arguments[0], {})", chart | {"rows": [row]})
    assert EVIL in browser.text("#rows")
    assert browser.run("return document.querySelectorAll('img, iframe, #page script').length") == 0
    assert browser.run("return document.title") == "page"

    page.enter()
    page.show("app")
    page.until(lambda: "tick 1" in page.lines(), "the log is followed")
    (home / "crash").touch()
    page.until(lambda: any("needle" in line for line in page.lines()), "the last words")
    browser.type("#search", "NEEDLE")
    page.until(lambda: browser.text("#found") == "1 line", "it is found")
    assert browser.texts("#lines mark") == ["needle", "Needle"]
    browser.click("#only")
    assert page.lines() == ["a needle, and another Needle"]
    browser.click("#only")
    browser.type("#search", "\ue007")
    assert browser.texts("#lines .at") == ["a needle, and another Needle"]
    assert browser.run("return document.querySelector('#follow').ariaPressed") == "false"
    browser.run("document.querySelector('#search').value = ''; search()")
    page.until(lambda: len(page.lines()) > 10, "all lines are there again")

    page.show("prepare")
    page.until(lambda: page.lines() == ["prepared"], "the log of another container")
    page.until(lambda: "exit code 0" in browser.text("#log-note"), "which has ended")
    page.show("app")
    page.until(lambda: "instance begins" in page.lines(), "and back")
    browser.click("#previous")
    page.until(lambda: any("needle" in line for line in page.lines()), "the instance before")


def test_more_lines_than_fit_are_dropped_and_the_page_stays_quick(page: Page) -> None:
    page.enter()
    page.browser.run("""
        const at = (n) => `2100-01-01T00:00:00.${String(n).padStart(9, "0")}Z`
        take(Array.from({length: 60000}, (_, n) => ({name: "shy", attempt: 0, time: at(n), text: `line ${n}`})))""")
    page.until(lambda: "shy line 59999" in page.lines(), "the newest is shown")
    assert page.browser.run("return document.querySelector('#lines').childElementCount") == 5000


def test_restart_and_stop_are_asked_twice(page: Page) -> None:
    browser = page.browser
    page.enter()
    browser.click("[aria-label='Restart app']")
    page.until(lambda: browser.text("#ask-head") == "Restart container app?", "it asks")
    browser.click("dialog [value=no]")
    assert page.state("app").startswith("Ready")
    browser.click("[aria-label='Restart app']")
    page.confirm()
    page.until(lambda: "×1" in page.state("app"), "it is restarted")
    page.until(lambda: "asked" in page.signs("app"), "the time line says why")
    assert page.story.container("app")["restartCount"] == 1

    browser.click("#stop")
    page.until(lambda: browser.text("#ask-head") == "Stop pod page?", "it asks")
    page.confirm()
    assert page.story.ended() == 0
    page.until(lambda: browser.text("#status") == "Ended", "the page says so")
    assert browser.run("return document.querySelector('#stop').disabled")
    assert "app instance begins" in page.lines()  # and what it knew is still there


def test_a_pod_that_completes_says_so_to_the_end(run: Callable[..., Story], home: Path) -> None:
    container = {
        "name": "app",
        "command": ["sh", "-c", "echo waits; until [ -e go ]; do sleep 0.1; done; echo all done"],
    }
    pod = {**POD, "spec": {"restartPolicy": "Never", "containers": [container]}}
    (home / "pod.json").write_text(json.dumps(pod))
    story = run(home / "pod.json", options=("--console", "none"), cwd=home)
    browser = Browser(home)
    try:
        page = Page(story, browser)
        browser.open(page.address)
        page.until(lambda: page.state("app").startswith("Ready"), "it runs")
        page.until(lambda: "app waits" in page.lines(), "its log is followed")
        (home / "go").touch()
        assert story.ended() == 0
        page.until(lambda: page.state("app").startswith("Completed"), "it has ended")
        page.until(lambda: "app all done" in page.lines(), "its last words")
        page.until(lambda: page.signs("app") == ["done"], "the end is in the time line")
        assert browser.text("#status") == "Completed"
        page.until(lambda: browser.run("return state.stop === null"), "nobody is asked any more")
        assert browser.text("#link") == ""
    finally:
        browser.close()


def test_a_page_that_nobody_looks_at_holds_no_connection(page: Page) -> None:
    page.enter()
    hide = "Object.defineProperty(document, 'hidden', {value: arguments[0], configurable: true});" \
        "document.dispatchEvent(new Event('visibilitychange'))"  # fmt: skip
    port = int(page.address.split(":")[2].partition("/")[0])

    def connections() -> int:
        there = page.story.supervisor.net_connections("tcp")
        return len([one for one in there if one.laddr.port == port and one.status == "ESTABLISHED"])

    page.until(lambda: len(page.lines()) > 5, "it is live")
    before = connections()
    assert before >= 3
    page.browser.run(hide, True)
    page.until(lambda: page.browser.run("return log.stop === null && state.stop === null"), "all streams are let go")
    page.until(lambda: connections() <= before - 3, "the server sees them go, but those that may be used again")
    lines = len(page.lines())
    page.browser.run(hide, False)
    page.until(lambda: len(page.lines()) > lines + 5, "it goes on where it was")


def test_nothing_is_shown_without_the_token(page: Page) -> None:
    browser = page.browser
    browser.open(page.address.partition("#")[0])
    page.until(lambda: browser.text("#door h1"), "it wants to know who asks")
    assert browser.text("#refused") == ""
    browser.type("#token", "wrong")
    browser.click("#door button")
    page.until(lambda: "not the token" in browser.text("#refused"), "a wrong one is refused")
    assert browser.text("#page") == ""
    assert browser.run("return sessionStorage.length") == 0
    browser.open(page.address + "x")
    page.until(lambda: "not the token" in browser.text("#refused"), "a wrong one in the address as well")
    browser.type("#token", page.address.partition("token=")[2])
    browser.click("#door button")
    page.until(lambda: page.state("app").startswith("Ready"), "with the right one all is there")
    assert browser.text("#door") == ""


CONTRAST = """
const luminance = ([r, g, b]) => [r, g, b].map(x => x / 255)
  .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
  .reduce((sum, x, n) => sum + x * [0.2126, 0.7152, 0.0722][n], 0);
const colour = (words) => words.match(/[\\d.]+/g).map(Number);
const behind = (one) => { for (; one; one = one.parentElement) {
  const found = colour(getComputedStyle(one).backgroundColor); if (found[3] !== 0) return found; } };
return [...document.querySelectorAll("#page *")].filter(one => one.checkVisibility() && !one.disabled
  && [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())).map(one => {
  const [a, b] = [colour(getComputedStyle(one).color), behind(one)].map(luminance).sort((x, y) => y - x);
  return [(a + 0.05) / (b + 0.05), `${one.tagName} ${one.className} ${one.textContent.slice(0, 20)}`] })
  .filter(([ratio]) => ratio < 4.5).map(([ratio, what]) => `${ratio.toFixed(2)} ${what}`)
"""
NAMELESS = """
return [...document.querySelectorAll("button, input, [tabindex], [role=img]")].filter(one => one.checkVisibility()
  && !(one.ariaLabel || one.title || one.innerText || one.labels?.length)).map(one => one.outerHTML)
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_can_be_read_and_reached_by_everybody(page: Page, dark: bool) -> None:
    browser = page.browser
    page.enter()
    page.until(lambda: "Unhealthy" in browser.text("#events"), "the page is full")
    for width in (1280, 400):
        browser.look(width=width, dark=dark)
        page.until(lambda: not browser.run("return document.getAnimations().length"), "it is still")
        assert browser.run(CONTRAST) == []
        assert browser.run(NAMELESS) == []
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    browser.run("document.querySelectorAll('.lane')[2].focus()")
    browser.devtools("Input.dispatchKeyEvent", type="keyDown", key="End")
    page.until(
        lambda: "Ready" in browser.text("#tip") or "ready" in browser.text("#tip"), "the lane tells its newest part"
    )
    browser.devtools("Input.dispatchKeyEvent", type="keyDown", key="Escape")
    page.until(lambda: browser.text("#tip") == "", "and is quiet again")
