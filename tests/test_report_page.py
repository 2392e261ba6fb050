"""A report in a real browser: it asks for nothing, sorts and filters, is safe and can be read by everybody."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from reports import negtemp

browser = pytest.importorskip("browser", reason="selenium is not installed", exc_type=ImportError)
pytest.importorskip("jinja2", reason="a report needs the extra negtemp[report]")
pytest.importorskip("matplotlib", reason="a report needs the extra negtemp[report]")

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of an audit of the bundled model."""
    folder = tmp_path_factory.mktemp("reports")
    negtemp("audit", "--candidates", "60", "-o", str(folder / "audit"))  # axe looks at every row
    negtemp("report", str(folder / "audit"), "-o", str(folder / "audit.html"))
    return folder / "audit.html"


def test_it_opens_from_a_disk_and_asks_for_nothing(chromium: "Chrome", audit: Path) -> None:
    chromium.get(audit.as_uri())
    assert browser.requests(chromium) == [audit.as_uri()]
    assert browser.complaints(chromium) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_reader_who_cannot_see_it_finds_no_fault(chromium: "Chrome", audit: Path, scheme: str) -> None:
    browser.prefer(chromium, scheme=scheme)
    chromium.get(audit.as_uri())
    assert browser.violations(chromium) == []


def test_nothing_is_wider_than_a_telephone(chromium: "Chrome", audit: Path) -> None:
    browser.resize(chromium, 390, 844)
    chromium.get(audit.as_uri())
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= 390


def column(page: "Chrome", number: int) -> list[str]:
    """What a column of the first sortable table shows."""
    script = """
        const table = document.querySelector('table:has(thead button)');
        const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden && row.offsetParent);
        return rows.map((row) => row.cells[arguments[0]].textContent.trim());
    """
    return list(page.execute_script(script, number))


def test_a_table_is_sorted_by_the_column_that_is_pressed(chromium: "Chrome", audit: Path) -> None:
    chromium.get(audit.as_uri())
    chromium.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    numbers = [int(cell.replace(",", "")) for cell in column(chromium, 1)]
    chromium.execute_script(
        "document.querySelector('table:has(thead button)').querySelectorAll('thead button')[1].click()"
    )
    assert [int(cell.replace(",", "")) for cell in column(chromium, 1)] == sorted(numbers)


def test_a_hostile_vocabulary_is_only_ever_text(chromium: "Chrome", hostile_path: Path, tmp_path: Path) -> None:
    negtemp("run", "-m", str(hostile_path), "-p", "<script>alert(1)</script>", "-n", "60", "--beta=-1", "-o",
            str(tmp_path / "run"))  # fmt: skip
    negtemp("report", str(tmp_path / "run"), "-o", str(tmp_path / "run.html"))
    chromium.get((tmp_path / "run.html").as_uri())
    assert not browser.has_dialog(chromium)
    assert browser.requests(chromium) == [(tmp_path / "run.html").as_uri()]
    assert "<script>alert(1)</script>" in chromium.find_element("css selector", "body").text
