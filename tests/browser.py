"""A browser, driven by the WebDriver protocol (W3C) as Chromium's driver speaks it: one method a command."""

from __future__ import annotations

import base64
import http.client
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.stories.driver import SCALE, until

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
)  # fmt: skip


class Browser:
    """One window of a fresh Chromium. The test is skipped where there is none."""

    def __init__(self, home: Path) -> None:
        programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
        if missing := [name for name, path in programs.items() if path is None]:
            pytest.skip(f"{' and '.join(missing)} not installed (Debian: chromium, chromium-driver)")
        self._log = home / "driver.log"
        with self._log.open("wb") as log:
            command = [str(programs["chromedriver"]), "--port=0"]
            self._driver = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            pattern = r"successfully on port (\d+)"
            found = until(
                lambda: re.search(pattern, self._log.read_text()),
                "the driver listens",
                timeout=90,
                process=self._driver,
            )
            self._port = int(found[1])
            options = {"binary": programs["chromium"], "args": [*_OPTIONS, f"--user-data-dir={home / 'profile'}"]}
            wanted = {
                "acceptInsecureCerts": True,  # as a user does who has looked at the fingerprint
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL"},
            }
            answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self._session = f"/session/{answer['sessionId']}"
        except BaseException:
            self._end()
            raise

    def close(self) -> None:
        """End the browser and its driver."""
        try:
            self._ask("DELETE", self._session)
        finally:
            self._end()

    def _end(self) -> None:
        self._driver.terminate()
        self._driver.wait(20)

    # asking

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60 * SCALE)
        try:
            data = json.dumps(body if body is not None else {}) if method == "POST" else None
            connection.request(method, path, data, {"Content-Type": "application/json"})
            value = json.load(connection.getresponse())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value and "message" in value:
            raise RuntimeError(f"{value['error']}: {value['message']}")
        return value

    def open(self, address: str) -> None:
        """Open a page; once more where that failed because a network interface has come or gone meanwhile."""
        while True:
            self._ask("POST", f"{self._session}/url", {"url": "about:blank"})  # else a new fragment loads nothing
            try:
                self._ask("POST", f"{self._session}/url", {"url": address})
            except RuntimeError as problem:
                if "ERR_NETWORK_CHANGED" not in str(problem):
                    raise
                continue
            if "ERR_NETWORK_CHANGED" not in self.text("body"):
                return

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a function's body."""
        return self._ask("POST", f"{self._session}/execute/sync", {"script": script, "args": list(arguments)})

    def devtools(self, command: str, **parameters: Any) -> Any:
        return self._ask("POST", f"{self._session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def console(self) -> list[str]:
        """What the page has complained about since this was asked the last time."""
        said = self._ask("POST", f"{self._session}/se/log", {"type": "browser"})
        return [one["message"] for one in said if one["level"] in ("SEVERE", "WARNING")]

    # looking

    def text(self, selector: str) -> str:
        """All text that can be seen below the first element, "" when there is none."""
        script = "const one = document.querySelector(arguments[0]); return one?.checkVisibility() ? one.innerText : ''"
        return str(self.run(script, selector))

    def texts(self, selector: str) -> list[str]:
        script = (
            "return [...document.querySelectorAll(arguments[0])].filter(x => x.checkVisibility()).map(x => x.innerText)"
        )
        return list(self.run(script, selector))

    def until(self, look: Callable[[], Any], what: str, timeout: float = 30) -> Any:
        try:
            return until(look, what, timeout)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\nThe page says:\n{self.text('body')}\n{self.console()}") from None

    def screenshot(self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """A picture of the whole page at this width."""
        self.look(width=width, height=height, dark=dark)
        full = int(self.run("return document.documentElement.scrollHeight"))
        self.look(width=width, height=max(full, height), dark=dark)
        path.write_bytes(base64.b64decode(self._ask("GET", f"{self._session}/screenshot")))
        self.look(width=width, height=height, dark=dark)

    def look(self, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", features=[scheme])
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", **size)

    # doing

    def click(self, selector: str) -> None:
        self._ask("POST", f"{self._session}/element/{self._find(selector)}/click")

    def type(self, selector: str, words: str) -> None:
        self._ask("POST", f"{self._session}/element/{self._find(selector)}/value", {"text": words})

    def _find(self, selector: str) -> str:
        found = self._ask("POST", f"{self._session}/element", {"using": "css selector", "value": selector})
        return str(found[_ELEMENT])
