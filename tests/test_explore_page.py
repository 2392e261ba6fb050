"""The page of `negtemp explore` in a real browser: dragged, keyed, typed into, searched, stopped, and its numbers."""

import json
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from exploring import Explored, explored
from test_cli import NEGTEMP, strict

from negtemp.model.llama.model import Model
from negtemp.theory import thermodynamics

browser = pytest.importorskip("browser", reason="selenium is not installed", exc_type=ImportError)
pytest.importorskip("starlette", reason="the page needs the extra negtemp[web]")
pytest.importorskip("uvicorn", reason="the page needs the extra negtemp[web]")

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement


@pytest.fixture(scope="module")
def served() -> Iterator[Explored]:
    """The page of the bundled model."""
    with explored() as page:
        yield page


@pytest.fixture
def page(chromium: "Chrome", served: Explored) -> "Chrome":
    """The browser with that page open, its numbers there."""
    return opened(chromium, served.url)


def opened(chromium: "Chrome", url: str) -> "Chrome":
    chromium.get("about:blank")
    chromium.get(url)
    settled(chromium)
    return chromium


def settled(chromium: "Chrome") -> None:
    """Wait until exact sums stand where a slider moved last."""
    browser.seen(chromium, lambda at: at.execute_script(
        "return document.body.dataset.exact === 'true' && document.getElementById('page').ariaBusy === 'false'"
    ))  # fmt: skip


def find(page: "Chrome", selector: str) -> "WebElement":
    return page.find_element("css selector", selector)


def all_of(page: "Chrome", selector: str) -> "list[WebElement]":
    return page.find_elements("css selector", selector)


def press(page: "Chrome", *keys: str) -> None:
    """Press keys on the slider."""
    for key in keys:
        find(page, "#slider").send_keys(getattr(_keys(), key))


def says(page: "Chrome", what: str) -> None:
    """Wait until the slider says this to somebody who cannot see it."""
    until(page, lambda at: find(at, "#slider").get_attribute("aria-valuetext") == what)


def _keys() -> Any:
    from selenium.webdriver.common.keys import Keys

    return Keys


def ids_of_chips(page: "Chrome") -> list[int]:
    script = "return [...document.querySelectorAll('#chips .chip')].map((chip) => Number(chip.dataset.token))"
    return list(page.execute_script(script))


def until(page: "Chrome", true: Callable[["Chrome"], Any]) -> Any:
    return browser.seen(page, true)


def test_the_keyboard_reaches_both_ends_and_zero_exactly(page: "Chrome") -> None:
    press(page, "HOME")
    says(page, "beta infinity, temperature plus 0")
    press(page, "END")
    says(page, "beta minus infinity, temperature minus 0")
    press(page, "ARROW_LEFT")
    says(page, "beta minus 1000, temperature minus 0.001")
    find(page, "[data-beta='0']").click()
    says(page, "beta 0, temperature infinity")
    press(page, "ARROW_RIGHT")
    says(page, "beta minus 0.001, temperature minus 1000")
    press(page, "ARROW_LEFT")
    says(page, "beta 0, temperature infinity")


def test_the_slider_is_dragged_through_zero(page: "Chrome") -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    slider = find(page, "#slider")
    width = int(slider.size["width"])
    begin = ActionChains(page, duration=0).move_to_element_with_offset(slider, -width // 4, 0).click_and_hold()
    begin.move_to_element(slider).release().perform()
    says(page, "beta 0, temperature infinity")
    begin = ActionChains(page, duration=0).move_to_element_with_offset(slider, -width // 4, 0).click_and_hold()
    begin.move_to_element(slider).move_to_element_with_offset(slider, width // 4, 0).release().perform()
    until(page, lambda at: "beta minus" in str(find(at, "#slider").get_attribute("aria-valuetext")))


@pytest.mark.parametrize(
    ("box", "typed", "said"),
    [
        ("#temperature", "-0.001", "beta minus 1000, temperature minus 0.001"),
        ("#temperature", "-0", "beta minus infinity, temperature minus 0"),
        ("#beta", "-inf", "beta minus infinity, temperature minus 0"),
        ("#beta", "0.25", "beta 0.25, temperature 4"),
    ],
)
def test_a_temperature_is_typed(page: "Chrome", box: str, typed: str, said: str) -> None:
    field = find(page, box)
    field.send_keys(_keys().CONTROL, "a")
    field.send_keys(typed, _keys().ENTER)
    says(page, said)


def test_what_is_typed_becomes_the_tokens_of_the_tokenizer(page: "Chrome", bundled: Model) -> None:
    prompt = find(page, "#prompt")
    prompt.send_keys(_keys().CONTROL, "a")
    prompt.send_keys("The heat of é")
    until(page, lambda at: ids_of_chips(at) == bundled.vocabulary.tokenize("The heat of é"))


def test_a_token_is_chosen_and_taken_back(page: "Chrome") -> None:
    before = ids_of_chips(page)
    row = all_of(page, "#ranking [data-token]")[2]
    token = int(str(row.get_attribute("data-token")))
    row.click()
    until(page, lambda at: ids_of_chips(at) == [*before, token])
    find(page, "#undo").click()
    until(page, lambda at: ids_of_chips(at) == before)


def test_a_branch_begins_at_an_earlier_token(page: "Chrome") -> None:
    before = ids_of_chips(page)
    all_of(page, "#chips .chip")[2].click()
    settled(page)
    row = all_of(page, "#ranking [data-token]")[1]
    token = int(str(row.get_attribute("data-token")))
    row.click()
    until(page, lambda at: ids_of_chips(at) == [*before[:3], token])


@pytest.mark.parametrize(("query", "token"), [("450", 450), ("e5", 0xE5 + 3)], ids=["id", "bytes"])
def test_any_token_is_found_however_unlikely(page: "Chrome", query: str, token: int) -> None:
    find(page, "#find").send_keys(query)
    until(page, lambda at: str(token) in [row.get_attribute("data-token") for row in all_of(at, "#found [data-token]")])


def test_what_is_no_token_is_said(page: "Chrome") -> None:
    find(page, "#find").send_keys("zqxjkvzqxjkv")
    until(page, lambda at: "No token" in find(at, "#found-note").text)


def test_generated_tokens_are_those_of_the_command_that_is_shown(page: "Chrome") -> None:
    find(page, "[data-beta='-1']").click()
    count = find(page, "#count")
    count.send_keys(_keys().CONTROL, "a")
    count.send_keys("7")
    before = len(ids_of_chips(page))
    find(page, "#generate").click()
    until(page, lambda at: len(ids_of_chips(at)) == before + 7 and not find(at, "#stop").is_displayed())
    settled(page)
    shown = [line for line in find(page, "#command").text.splitlines() if line.startswith("negtemp run")]
    command = [NEGTEMP, *shlex.split(shown[0])[1:], "--json"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    steps = [record["token_id"] for record in map(strict, lines) if record["kind"] == "step"]
    assert ids_of_chips(page)[before:] == steps


def test_a_stream_is_stopped(page: "Chrome") -> None:
    count = find(page, "#count")
    count.send_keys(_keys().CONTROL, "a")
    count.send_keys("450")
    page.execute_async_script("""
        const [done, chips] = [arguments[0], document.getElementById('chips')];
        const watch = new MutationObserver(() => {
            if (!chips.querySelector('.drawn')) return;
            watch.disconnect();
            document.getElementById('stop').click();
            done();
        });
        watch.observe(chips, { childList: true });
        document.getElementById('generate').click();
    """)
    until(page, lambda at: not find(at, "#stop").is_displayed())
    settled(page)
    assert "of 512 tokens" in find(page, "#length").text
    assert int(find(page, "#length").text.split()[0]) < 450


def test_both_temperatures_of_the_article_stand_side_by_side(page: "Chrome") -> None:
    find(page, "#beside").click()
    settled(page)
    until(page, lambda at: not find(at, "#stop").is_displayed() and all_of(at, ".column .chip"))
    titles = [title.text.replace("\u2212", "-") for title in all_of(page, ".column h3")]
    assert titles[0].startswith("T=0.001") and titles[-1].startswith("T=-0.001")


def test_a_link_brings_the_state_back(page: "Chrome") -> None:
    find(page, "[data-beta='-1']").click()
    find(page, "#draw").click()
    until(page, lambda at: "drawn=1" in at.current_url)
    url, tokens = page.current_url, ids_of_chips(page)
    opened(page, url)
    assert ids_of_chips(page) == tokens
    assert find(page, "#slider").get_attribute("aria-valuetext") == "beta minus 1, temperature minus 1"


def in_page(page: "Chrome", script: str) -> Any:
    """What an expression gives in the page, where modules can be imported."""
    asked = {"expression": script, "awaitPromise": True, "returnByValue": True}
    return page.execute_cdp_cmd("Runtime.evaluate", asked)["result"]["value"]


@pytest.mark.parametrize("kind", ["normal", "ties", "masked", "wide"])
def test_its_numbers_are_those_of_the_theory(page: "Chrome", kind: str) -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 4, 5000).astype(np.float32)
    if kind == "ties":
        logits[:700] = logits.min() - 1
    if kind == "masked":
        logits[::7] = -np.inf
    if kind == "wide":
        logits *= 30
    betas = [-1000.0, -10.0, -1.0, -0.03, 0.0, 1e-6, 0.3, 1.0, 7.5, 1000.0]
    listed = json.dumps([float(logit) if np.isfinite(logit) else None for logit in logits])
    found = in_page(page, f"""import('/distribution.js').then(({{ Distribution }}) => {{
        const one = new Distribution(Float32Array.from({listed}, (logit) => logit ?? -Infinity));
        return {json.dumps(betas)}.map((beta) => [one.exact(beta), one.quick(beta)]);
    }})""")  # fmt: skip
    expected = thermodynamics.curves(logits, betas)
    for place, (exact, quick) in enumerate(found):
        for state, within in ((exact, 1e-9), (quick, 1e-6)):
            assert state["entropy"] == pytest.approx(expected.entropy[place], rel=within, abs=within)
            assert state["energy"] == pytest.approx(expected.energy[place], rel=within, abs=within)
            assert state["capacity"] == pytest.approx(expected.heat_capacity[place], rel=1e2 * within, abs=1e2 * within)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_reader_who_cannot_see_it_finds_no_fault(page: "Chrome", scheme: str) -> None:
    browser.prefer(page, scheme=scheme)
    find(page, "#find").send_keys("the")
    until(page, lambda at: all_of(at, "#found [data-token]"))
    assert browser.violations(page) == []


def test_nothing_is_wider_than_a_telephone(page: "Chrome") -> None:
    browser.resize(page, 390, 844)
    settled(page)
    assert page.execute_script("return document.documentElement.scrollWidth") <= 390


def test_a_hostile_vocabulary_is_only_ever_text(chromium: "Chrome", hostile_path: Path) -> None:
    with explored("-m", str(hostile_path)) as served:
        page = opened(chromium, served.url)
        find(page, "#more").click()
        for query in ("<", "script", "javascript"):
            field = find(page, "#find")
            field.send_keys(_keys().CONTROL, "a")
            field.send_keys(query)
        find(page, "[data-beta='-1']").click()
        find(page, "#generate").click()
        until(page, lambda at: not find(at, "#stop").is_displayed())
        settled(page)
        assert not browser.has_dialog(page)
        assert all(url.startswith(served.base) for url in browser.requests(page))
        assert browser.complaints(page) == []
        assert page.execute_script("return document.querySelectorAll('script').length") == 1


def test_a_lost_connection_is_said(chromium: "Chrome") -> None:
    with explored() as served:
        page = opened(chromium, served.url)
        served.process.send_signal(signal.SIGINT)
        served.process.wait()
        all_of(page, "#chips .chip")[1].click()
        until(page, lambda at: find(at, "#notice").is_displayed())


def test_without_the_token_the_page_asks_for_it(chromium: "Chrome", served: Explored) -> None:
    chromium.get("about:blank")
    chromium.get(served.base)
    until(chromium, lambda at: find(at, "#entry").is_displayed())
    find(chromium, "#entry-key").send_keys(served.url, _keys().ENTER)
    settled(chromium)
