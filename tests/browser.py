"""A real browser for tests: Debian's Chromium, driven by selenium; nothing is fetched, nothing asked of a network.

A test takes the fixture `chromium` (in conftest), which is one browser for all tests of a process, emptied before each.
What a page asked for is read from the browser's own log, what is wrong with it for a reader who cannot see it from
axe-core. Both are installed by `.ci/run`; elsewhere tests that need them are skipped, with the reason.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

Result = TypeVar("Result")

AXE = Path(__file__).parents[1] / "build" / "web-tools" / "node_modules" / "axe-core" / "axe.min.js"

# for a machine ten times slower than usual
PATIENCE_SECONDS = 120.0
_WIDE = (1280, 900)
# no look-up of any host, and no word with its maker
_SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--no-default-browser-check", "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE ::1",
)  # fmt: skip
# schemes whose requests leave the page
_OWN = ("data:", "blob:", "about:", "chrome:", "devtools:")


def lacking(what: str) -> NoReturn:
    """Skip the test; where tools must be there, fail it."""
    if os.environ.get("NEGTEMP_REQUIRE_TOOLS"):
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"{what} is not installed")


@contextmanager
def started(profile: Path) -> Iterator[webdriver.Chrome]:
    """A browser with a new profile in an empty folder."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    service = shutil.which("chromedriver")
    if browser is None or service is None:
        lacking("chromium" if browser is None else "chromium-driver")
    options = Options()
    options.binary_location = browser
    for switch in (*_SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    options.set_capability("unhandledPromptBehavior", "ignore")  # a dialog must be seen, not closed
    driver = webdriver.Chrome(options=options, service=Service(service))
    driver.set_page_load_timeout(PATIENCE_SECONDS)
    driver.set_script_timeout(PATIENCE_SECONDS)
    try:
        yield driver
    finally:
        driver.quit()


def emptied(driver: webdriver.Chrome) -> webdriver.Chrome:
    """The same browser with one empty tab of the usual size, its logs read away, its emulations undone."""
    with suppress(NoAlertPresentException):
        driver.switch_to.alert.dismiss()
    driver.switch_to.new_window("tab")
    kept = driver.current_window_handle
    for handle in driver.window_handles:
        if handle != kept:
            driver.switch_to.window(handle)
            driver.close()
    driver.switch_to.window(kept)
    resize(driver, *_WIDE)
    prefer(driver, scheme="light")
    for log in ("performance", "browser"):
        _log(driver, log)
    return driver


def _log(driver: webdriver.Chrome, name: str) -> list[dict[str, Any]]:
    """What a log of the browser's has held since the last call."""
    entries: list[dict[str, Any]] = driver.get_log(name)  # type: ignore[no-untyped-call]
    return entries


def resize(driver: webdriver.Chrome, width: int, height: int) -> None:
    """Give the page a viewport of this size, in CSS pixels, whatever the window has."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def prefer(driver: webdriver.Chrome, scheme: str, motion: str = "no-preference", media: str = "") -> None:
    """What the system prefers: a colour scheme (light, dark), motion (reduce), and a medium (print)."""
    features = [
        {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": motion},
    ]  # fmt: skip
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def seen(driver: webdriver.Chrome, what: Callable[[webdriver.Chrome], Result]) -> Result:
    """What `what` returns as soon as it is neither false nor None, for as long as a slow machine may take."""
    return WebDriverWait(driver, PATIENCE_SECONDS, poll_frequency=0.05).until(what)


def requests(driver: webdriver.Chrome) -> list[str]:
    """The URLs that the page asked for since the last call, its own document first; none of `data:` or `blob:`."""
    events = [json.loads(entry["message"])["message"] for entry in _log(driver, "performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return [url for url in asked if not url.startswith(_OWN)]


def complaints(driver: webdriver.Chrome) -> list[str]:
    """What stands in the page's console as an error since the last call: exceptions, refusals by its policy."""
    return [entry["message"] for entry in _log(driver, "browser") if entry["level"] == "SEVERE"]


def has_dialog(driver: webdriver.Chrome) -> bool:
    """Whether a dialog is open."""
    try:
        return bool(driver.switch_to.alert)
    except NoAlertPresentException:
        return False


def violations(driver: webdriver.Chrome) -> list[str]:
    """What axe-core finds wrong with the page as it stands, one line for each rule; none is the wish."""
    if not AXE.exists():
        lacking("axe-core (scripts/web_tools.sh)")
    # evaluated by the debugger, which a page's content security policy does not bind
    driver.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
    asked = {"expression": "axe.run()", "awaitPromise": True, "returnByValue": True}
    found: dict[str, Any] = driver.execute_cdp_cmd("Runtime.evaluate", asked)["result"]["value"]
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}: " + "; ".join(str(node["target"]) for node in rule["nodes"])
        for rule in found["violations"]
    ]
