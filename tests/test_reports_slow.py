"""The pages in a real browser: filters, keys, narrow screens; nothing is logged, nothing fetched, nothing that an article brings runs."""

import json
import shutil

import pytest
from factories import LABELS, make_article
from reporting import HOSTILE, MORE, TOPICS, evaluated_run, make_comparison
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from sitrep.articles import Article, Span
from sitrep.reports.comparison import write_comparison_report
from sitrep.reports.run import write_run_report

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="no chromium and chromedriver on this machine (Debian: chromium, chromium-driver)"),
]
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
PAIRS = [
    (
        make_article("a1", "[Ali](PERSON) went to [Gao](LOCATION).\n\nThe [Front](ARMED_GROUP) left [Mopti](LOCATION)."),
        make_article("a1", "[Ali](PERSON) went to [Gao](ARMED_GROUP).\n\nThe [Front](ARMED_GROUP) left Mopti."),
    ),
    (make_article("a2", "[Rain](LOCATION) fell."), make_article("a2", "[Rain](LOCATION) fell.")),
    (make_article(f"a3{HOSTILE}", "Envoys met [Sow](PERSON)."), make_article(f"a3{HOSTILE}", "Envoys met Sow.")),
    (Article("a4", f"{HOSTILE}{'x' * 300}", (Span(0, 9, "PERSON"), Span(3, 20, "LOCATION"))), Article("a4", f"{HOSTILE}{'x' * 300}")),
]


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The page of a run with two evaluations, of a run of class labels, and of a comparison."""
    folder = tmp_path_factory.mktemp("pages")
    run = evaluated_run(folder / "m" / "ner", PAIRS, "test", "dev", more=MORE, task__labels=list(LABELS))
    gold, pred = (Article("a1", "Text.", labels={"topics": (label,)}) for label in ("war", "peace"))
    topics = evaluated_run(folder / "m" / "topics", [(gold, pred)], **TOPICS)
    comparison = write_comparison_report(make_comparison(text=HOSTILE), folder / "comparison.html")
    return {"run": write_run_report(run), "topics": write_run_report(topics), "comparison": comparison}


@pytest.fixture
def visit(browser, pages):
    """Return a function that opens a page at a width; at the end nothing may have gone wrong in any."""

    def go(name, width=1280, anchor=""):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get("about:blank")
        browser.get_log("performance")
        browser.get(pages[name].as_uri() + anchor)
        return browser

    yield go
    requested = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    addresses = [event["params"]["request"]["url"] for event in requested if event["method"] == "Network.requestWillBeSent"]
    assert addresses and {address.partition("#")[0] for address in addresses} <= {page.as_uri() for page in pages.values()}
    assert not browser.get_log("browser")
    assert browser.title != "ran"


def visible(browser, selector):
    return [element for element in browser.find_elements(By.CSS_SELECTOR, selector) if element.is_displayed()]


def shown_articles(browser):
    return [element.find_element(By.CSS_SELECTOR, "h3 bdi").text for element in visible(browser, "article")]


def choose(browser, selector, text):
    Select(visible(browser, selector)[0]).select_by_visible_text(text)


def lit(browser):
    """Return the marked words, tags left off, that no filter has put out."""
    script = "const copy = arguments[0].cloneNode(true); copy.querySelectorAll('i').forEach(tag => tag.remove()); return copy.textContent"
    return [browser.execute_script(script, mark) for mark in visible(browser, "article b:not(.off)")]


def test_the_articles_are_filtered_by_label_mistake_article_and_words(visit):
    browser = visit("run")
    assert shown_articles(browser) == ["a1", "a4", f"a3{HOSTILE}", "a2"]
    choose(browser, "[data-part='0']", "ARMED_GROUP")
    assert shown_articles(browser) == ["a1"] and lit(browser) == ["Gao", "Gao", "Front", "Front"]
    choose(browser, "[data-part='1']", "wrong label")
    assert lit(browser) == ["Gao", "Gao"]
    choose(browser, "[data-part='0']", "all")
    choose(browser, "[data-part='1']", "missed")
    assert shown_articles(browser) == ["a1", "a4", f"a3{HOSTILE}"] and "Mopti" in lit(browser) and "Ali" not in lit(browser)
    choose(browser, "[data-part='1']", "right")
    assert shown_articles(browser) == ["a1", "a2"]
    visible(browser, "[type='reset']")[0].click()
    WebDriverWait(browser, 5).until(lambda _: len(shown_articles(browser)) == 4)
    choose(browser, "[data-choose]", "a2 (0)")
    assert shown_articles(browser) == ["a2"] and visible(browser, "output")[0].text == "1 of 4"
    choose(browser, "[data-choose]", "all")
    visible(browser, "[data-search]")[0].send_keys("ENVOYS")
    assert shown_articles(browser) == [f"a3{HOSTILE}"]


def test_one_evaluation_is_shown_at_a_time_and_links_lead_into_it(visit):
    browser = visit("run")
    assert visible(browser, "h2")[0].text == "Scores on test"
    visible(browser, "[data-tab='e1']")[0].click()
    assert visible(browser, "h2")[0].text == "Scores on dev"
    assert [link.text for link in visible(browser, "nav .heading")] == ["DEV", "THE RUN"]
    visit("run", anchor="#e1-a1")
    assert "Articles of dev" in [heading.text for heading in visible(browser, "h2")]


def test_a_link_brings_back_an_article_that_is_filtered_away(visit):
    browser = visit("run")
    choose(browser, "[data-choose]", "a2 (0)")
    visible(browser, "td a[href='#e0-a0'], th a[href='#e0-a0']")[0].click()
    WebDriverWait(browser, 5).until(lambda _: "a1" in shown_articles(browser))


def test_all_controls_are_reached_by_keyboard_and_articles_by_j_and_k(visit):
    browser = visit("run")
    reached = []
    for _ in range(60):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        focused = browser.switch_to.active_element
        reached.append(focused)
        assert browser.execute_script("return getComputedStyle(arguments[0]).outlineStyle", focused) != "none"
        if focused == visible(browser, "[type='reset']")[0]:
            break
    controls = visible(browser, "header button, form select, form input, form button, nav a")
    assert not [control.get_attribute("outerHTML") for control in controls if control not in reached]
    for keys, expected in (("j", "a1"), ("j", "a4"), ("k", "a1")):
        ActionChains(browser).send_keys(keys).perform()
        assert browser.switch_to.active_element.find_element(By.CSS_SELECTOR, "h3 bdi").text == expected


def test_class_labels_are_filtered(visit):
    browser = visit("topics")
    choose(browser, "[data-part='0']", "war")
    assert shown_articles(browser) == ["a1"] and lit(browser) == ["war"]
    choose(browser, "[data-part='1']", "spurious")
    assert shown_articles(browser) == []


def test_what_a_comparison_changed_is_filtered(visit):
    browser = visit("comparison")
    rows = "tr[data-item]"
    assert [row.text.split()[0] for row in visible(browser, rows)] == ["fixed", "broken"]
    choose(browser, "[data-part='2']", "broken")
    assert len(visible(browser, rows)) == 1 and "Monday" in visible(browser, rows)[0].text
    choose(browser, "[data-part='0']", "LOCATION")
    assert not visible(browser, rows)


@pytest.mark.parametrize("name", ["run", "topics", "comparison"])
def test_no_page_scrolls_sideways_on_a_phone(visit, name):
    browser = visit(name, width=360)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert browser.execute_script("scrollTo(500, 0); return scrollX") == 0


def test_print_shows_the_articles_that_are_not_filtered_away_and_no_controls(visit):
    browser = visit("run")
    choose(browser, "[data-part='1']", "wrong label")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert shown_articles(browser) == ["a1"] and not visible(browser, "form, nav, button")
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
