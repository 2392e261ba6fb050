"""The browser that tests of pages look through: it sees requests, dialogs and faults where there are some."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium import webdriver

browser = pytest.importorskip("browser", reason="selenium is not installed", exc_type=ImportError)

GOOD = "<!doctype html><html lang=en><title>good</title><main><h1>Good</h1><p>Nothing is wrong.</p></main>"
BAD = "<!doctype html><html><title>bad</title><img src='http://nowhere.invalid/a.png'><script>alert(1)</script>"


def page(folder: Path, html: str) -> str:
    """The URL of a page in a file."""
    file = folder / "page.html"
    file.write_text(html, encoding="utf-8")
    return file.as_uri()


def test_a_page_without_faults_has_none(chromium: "webdriver.Chrome", tmp_path: Path) -> None:
    url = page(tmp_path, GOOD)
    chromium.get(url)
    assert browser.requests(chromium) == [url]
    assert not browser.has_dialog(chromium)
    assert browser.violations(chromium) == []


def test_faults_are_seen(chromium: "webdriver.Chrome", tmp_path: Path) -> None:
    url = page(tmp_path, BAD)
    chromium.get(url)
    assert browser.has_dialog(chromium)
    chromium.switch_to.alert.dismiss()
    assert browser.requests(chromium) == [url, "http://nowhere.invalid/a.png"]
    assert any(rule.startswith("image-alt (critical)") for rule in browser.violations(chromium))
