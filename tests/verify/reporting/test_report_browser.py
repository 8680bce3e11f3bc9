"""The report in a real browser: no complaint on its console, nothing asked from outside, tables that sort.

Chromium is driven over its debugging pipe (messages in JSON, each ended by a zero byte).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--remote-debugging-pipe", "--window-size=1200,3000",
)  # fmt: skip


class Browser:
    """One page. ``events`` gathers what the page reported meanwhile."""

    def __init__(self, profile: Path) -> None:
        (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
        # Their ends must become 3 and 4; from numbers above 9 the shell can move them there in either order.
        far = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (theirs_in, theirs_out)]
        command = [str(CHROMIUM), *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{far[0]} 4>&{far[1]}', *command], pass_fds=far, stderr=subprocess.DEVNULL
        )
        for fd in (theirs_in, theirs_out, *far):
            os.close(fd)
        self.send, self.receive = os.fdopen(ours_out, "wb", 0), os.fdopen(ours_in, "rb", 0)
        self.events: list[dict[str, Any]] = []
        self.rest, self.number, self.session = b"", 0, ""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        session = {"sessionId": self.session} if self.session else {}
        message = {"id": self.number, "method": method, "params": params, **session}
        self.send.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def read(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            chunk = self.receive.read(1 << 16)
            assert chunk, "the browser has gone"
            self.rest += chunk
        line, self.rest = self.rest.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        self.events += [message] if "method" in message else []
        return message

    def open(self, page: Path) -> None:
        self.events.clear()
        self.ask("Page.navigate", url=page.as_uri())
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            self.read()

    def run(self, script: str) -> Any:
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def close(self) -> None:
        self.send.close()
        self.receive.close()
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture
def page(written: dict[str, Path], browser: Browser) -> Path:
    browser.open(written["html"])
    return written["html"]


def test_nothing_on_the_console_and_no_outside_request(browser: Browser, page: Path) -> None:
    assert "agreeing" in browser.run("document.title")
    complaints = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}
    assert [e for e in browser.events if e["method"] in complaints] == []
    asked = {e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"}
    assert asked - {"data:,"} == {page.as_uri()}  # the empty icon, which spares a request for a real one


COLUMN = "[...document.querySelectorAll('table')[{table}].tBodies[0].rows].map(r => r.cells[{column}].textContent)"
CLICK = "document.querySelectorAll('table')[{table}].tHead.rows[0].cells[{column}].firstElementChild.click()"


def test_a_click_on_a_heading_sorts_by_number_and_a_second_turns_it_round(browser: Browser, page: Path) -> None:
    place = {"table": 4, "column": 7}  # the cells' predicted values
    before = browser.run(COLUMN.format(**place))
    browser.run(CLICK.format(**place))
    ascending = browser.run(COLUMN.format(**place))
    browser.run(CLICK.format(**place))
    descending = browser.run(COLUMN.format(**place))
    assert [float(x) for x in ascending] == sorted(float(x) for x in before) != [float(x) for x in before]
    assert [float(x) for x in descending] == sorted((float(x) for x in before), reverse=True)
    assert browser.run("document.querySelector('th[aria-sort]').getAttribute('aria-sort')") == "descending"


def test_zero_lies_between_the_signs_and_more_than_any_number_comes_last(browser: Browser, page: Path) -> None:
    leading = {"table": 2, "column": 6}  # leading-order exponents: -1, 0, 1
    browser.run(CLICK.format(**leading))
    exponents = [float(x) for x in browser.run(COLUMN.format(**leading))]
    assert set(exponents) == {-1.0, 0.0, 1.0}
    assert exponents == sorted(exponents)
    needed = {"table": 1, "column": 8}
    cells = "document.querySelectorAll('table')[1].tBodies[0].rows"
    browser.run(f"{cells}[0].cells[8].textContent = '> 10⁷'; {cells}[1].cells[8].textContent = '–'")
    browser.run(CLICK.format(**needed))
    shown = browser.run(COLUMN.format(**needed))
    assert (shown[0], shown[-1]) == ("–", "> 10⁷")


def test_words_sort_as_words(browser: Browser, page: Path) -> None:
    place = {"table": 4, "column": 1}
    browser.run(CLICK.format(**place))
    statistics = browser.run(COLUMN.format(**place))
    assert statistics == sorted(statistics)
    assert len(set(statistics)) == 4


def test_light_and_dark_differ_in_paper_and_ink(browser: Browser, page: Path) -> None:
    style = "(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))"
    shades = []
    for scheme in ("light", "dark"):
        browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        shades.append(browser.run(style))
    assert shades == [["rgb(255, 255, 255)", "rgb(27, 27, 27)"], ["rgb(21, 23, 26)", "rgb(232, 232, 232)"]]


def test_nothing_is_wider_than_the_page(browser: Browser, page: Path) -> None:
    assert browser.run("document.documentElement.scrollWidth <= window.innerWidth")
