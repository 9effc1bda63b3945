"""A reader of the web edition: the folder opened in a browser to which every address outside of it is refused.

`COURSE_SITE_PICTURES=docs` makes the README's two pictures on the way, when the chapters have been executed.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from chromium import NOTHING_ELSE, chromium, requested

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("site")]

WIDTHS = (1280, 420)

CONTRAST = """
const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = colour => {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(v => linear(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = node => {
  for (; node; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    if (!/^rgba\\(.*, 0\\)$/.test(colour) && colour !== 'transparent') return colour;
  }
  return 'rgb(255, 255, 255)';
};
const contrast = node => {
  const pair = [light(getComputedStyle(node).color), light(ground(node))].sort((a, b) => b - a);
  return (pair[0] + 0.05) / (pair[1] + 0.05);
};
const all = name => [...document.querySelectorAll(name)];
const box = node => node.getBoundingClientRect();
"""
TEXT = CONTRAST + "return [contrast(all('article p')[0]), light(ground(all('article')[0]))];"
FIGURES = CONTRAST + """return all('.cell_output img').map(node => [node.naturalWidth > 0, box(node).right <= innerWidth,
    box(node).width > 250, getComputedStyle(node).backgroundColor, getComputedStyle(node).filter]);"""
FORMULA = CONTRAST + """
const [over, under] = all('article math mfrac')[0].children, shown = all('.formula-line')[0];
return {
  font: [...document.fonts].filter(font => font.family.includes('STIX')).map(font => font.status),
  above: box(over).bottom <= box(under).top + 1 && box(over).height > 3,
  fits: box(shown).right <= innerWidth, scrolls: shown.scrollWidth > shown.clientWidth,
  framed: getComputedStyle(all('menclose')[0]).borderTopWidth, contrast: contrast(shown.querySelector('mi')),
};
"""
TABLES = CONTRAST + """return all('article table').map(node =>
    [box(node).right <= innerWidth, Math.min(...[...node.querySelectorAll('th, td')].map(contrast)) > 4.5]);"""
PRINTED = """return ['.bd-sidebar-primary', '.bd-header-article', '.prev-next-footer', '.cell_output img', 'math.formula']
    .map(name => document.querySelector(name).checkVisibility());"""
SEARCH_FIELD = "return [...document.querySelectorAll('input[type=search]')].find(node => node.checkVisibility());"
FOUND = "return [...document.querySelectorAll('#search-results li a')].map(link => link.href);"


class Reader:
    def __init__(self, browser: webdriver.Chrome, folder: Path):
        self.browser, self.folder = browser, folder

    def __call__(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def wait(self, what: Callable[[], Any], timeout: float = 120) -> Any:
        return WebDriverWait(self.browser, timeout).until(lambda _: what())

    def open(self, page: str, width: int = WIDTHS[0]) -> None:
        self.resize(width)
        self.browser.get((self.folder / page).as_uri())

    def resize(self, width: int, height: int = 900) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def click(self, selector: str) -> None:
        """Click the first element that is shown."""
        shown = "return [...document.querySelectorAll(arguments[0])].find(node => node.checkVisibility());"
        node = self.wait(lambda: self(shown, selector))
        self("arguments[0].scrollIntoView({block: 'center'});", node)
        node.click()

    def at(self, page: str) -> bool:
        return self.browser.current_url.split("#")[0].split("?")[0] == (self.folder / page).as_uri()

    def mode(self, wanted: str) -> None:
        """Make the page light or dark by its menu."""
        self.click(".theme-switch-button")
        self.click(f".theme-change-button[data-mode={wanted}]")
        assert self("return document.documentElement.dataset.theme") == wanted

    def fits(self) -> bool:
        """Whether nothing makes the page wider than the window."""
        return self("return document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture(scope="module")
def reader(site):
    with chromium(1280, 900, NOTHING_ELSE, logs=True) as browser:
        browser.get("about:blank")
        requested(browser)  # Chromium's own first page
        yield Reader(browser, site.folder.resolve())


@pytest.fixture(autouse=True)
def nothing_is_asked_of_the_network_and_no_script_fails(reader):
    yield
    assert [address for address in requested(reader.browser) if not address.startswith(("file:", "data:"))] == []
    assert [entry["message"] for entry in reader.browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_from_the_first_page_through_two_chapters_and_back_by_the_search(reader, width):
    reader.open("index.html", width)
    assert reader.fits()
    reader.click(".sd-card:has(a[href$='08_lora.html'])")
    reader.wait(lambda: reader.at("chapters/08_lora.html"))
    assert reader("return document.querySelector('h1').innerText").startswith("08 · LoRA") and reader.fits()
    reader.click("a.right-next")
    reader.wait(lambda: reader.at("chapters/09_peft_family.html"))
    assert reader.fits()

    reader.click(".search-button__button, .search-button-field")
    field = reader.wait(lambda: reader(SEARCH_FIELD))
    field.send_keys("double quantisation" + Keys.ENTER)
    reader.wait(lambda: reader.at("search.html"))
    found = reader.wait(lambda: reader(FOUND))
    assert any("10_qlora.html" in address for address in found)
    reader.click("#search-results li a[href*='10_qlora.html']")
    reader.wait(lambda: reader.at("chapters/10_qlora.html"))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_figure_a_formula_and_a_table_can_be_read(reader, mode, width):
    reader.open("chapters/99_specimen.html", WIDTHS[0])
    reader.mode(mode)
    reader.resize(width)
    assert reader.fits()
    contrast, ground = reader(TEXT)
    assert contrast > 7 and (ground < 0.1) == (mode == "dark")
    assert reader(FIGURES) == [[True, True, True, "rgb(255, 255, 255)", "none"]] * 2
    formula = reader.wait(lambda: (seen := reader(FORMULA))["font"] != ["loading"] and seen)
    assert formula.pop("contrast") > 7
    assert formula == {"font": ["loaded"], "above": True, "fits": True, "scrolls": width < 500, "framed": "1px"}
    assert reader(TABLES) == [[True, True]] * 3


def test_the_way_into_jupyterlab_names_the_chapter_and_the_command(reader):
    reader.open("chapters/08_lora.html")
    reader.click(".chapter-facts a")
    reader.wait(lambda: reader.at("open.html"))
    meant = reader("return document.querySelector('section:target, section:has(> span:target)').innerText")
    assert "localhost:8888/lab/tree/08_lora.ipynb" in meant and meant.count(".ipynb") == 1
    assert "make lab" in reader("return document.querySelector('article').innerText")


def test_code_that_only_draws_unfolds_and_print_leaves_the_page_alone(reader):
    reader.open("chapters/99_specimen.html")
    reader.click("details summary")
    assert reader("return document.querySelector('details pre').checkVisibility()")
    reader.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown = reader(PRINTED)
    wraps = reader("return getComputedStyle(document.querySelector('.cell_output pre')).whiteSpace")
    reader.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert shown == [False, False, False, True, True] and wraps == "pre-wrap"


def test_the_pictures_of_the_readme(reader, site):
    if not os.environ.get("COURSE_SITE_PICTURES"):
        return
    assert all(notebook is not None for notebook in site.made_from.values()), "execute the chapters first: course site"
    folder = Path(os.environ["COURSE_SITE_PICTURES"])
    reader.open("index.html")
    reader.mode("light")
    reader.open("index.html")  # without the menu
    picture(reader, folder / "site-front.png")
    reader.mode("dark")
    reader.open("chapters/08_lora.html")
    reader("document.querySelectorAll('.cell_output img')[0].scrollIntoView(); scrollBy(0, -90);")
    picture(reader, folder / "site-chapter.png")


def picture(reader: Reader, path: Path) -> None:
    """Photograph the window, in few colours, so that the file stays small."""
    with Image.open(io.BytesIO(reader.browser.get_screenshot_as_png())) as shot:
        shot.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    assert path.stat().st_size < 200_000
