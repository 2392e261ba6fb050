"""Pictures of the pages for README and docs, by Debian's Chromium: small PNGs in docs/images.

usage: scripts/screenshots.py [-m MODEL]    needs negtemp[web,report], selenium, pillow and Chromium
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT / "tests"))

import browser  # noqa: E402  the browser of the tests

_COLOURS = 256


@contextmanager
def served(*arguments: str) -> Iterator[str]:
    """The address of a page that is served until the block ends."""
    command = [str(Path(sys.executable).with_name("negtemp")), "explore", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def settled(driver: Any) -> None:
    """Wait until the numbers are exact."""
    browser.seen(driver, lambda at: at.execute_script(
        "return document.body.dataset.exact === 'true' && document.getElementById('page').ariaBusy === 'false'"
    ))  # fmt: skip


def explore(driver: Any, url: str, beta: str, scheme: str, size: tuple[int, int], name: str) -> None:
    """One picture of the page at a beta."""
    browser.resize(driver, *size)
    browser.prefer(driver, scheme=scheme)
    driver.get("about:blank")
    driver.get(url)
    settled(driver)
    field = driver.find_element("css selector", "#beta")
    driver.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))", field, beta
    )
    driver.execute_async_script("setTimeout(arguments[0], 400)")
    settled(driver)
    save(driver.get_screenshot_as_png(), name)


def report(driver: Any, folder: Path) -> None:
    """One picture of the report of an experiment on the bundled model."""
    negtemp = str(Path(sys.executable).with_name("negtemp"))
    subprocess.run([negtemp, "reproduce", "-o", str(folder / "run")], check=True, capture_output=True)
    file = folder / "report.html"
    subprocess.run([negtemp, "report", str(folder / "run"), "-o", str(file)], check=True, capture_output=True)
    browser.resize(driver, 1000, 1100)
    browser.prefer(driver, scheme="light")
    driver.get(file.as_uri())
    save(driver.get_screenshot_as_png(), "report.png")


def save(png: bytes, name: str) -> None:
    """The picture in few colours: a third of the bytes, and nobody sees it."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(png)
        file.flush()
        Image.open(file.name).convert("RGB").quantize(_COLOURS).save(IMAGES / name, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-m", "--model", help="the model on the page (default: the bundled one)")
    model = parser.parse_args().model
    arguments = ["-m", model] if model else []
    with served(*arguments) as url, tempfile.TemporaryDirectory() as profile, browser.started(Path(profile)) as driver:
        browser.emptied(driver)
        explore(driver, url, "-1.13", "light", (1280, 840), "explore.png")
        explore(driver, url, "-1000", "dark", (1280, 840), "explore-dark.png")
        explore(driver, url, "-1.13", "light", (390, 844), "explore-narrow.png")
        report(driver, Path(profile))


if __name__ == "__main__":
    main()
