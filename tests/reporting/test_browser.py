"""Report and TensorBoard log in a browser."""

import base64
import contextlib
import html
import importlib.resources
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

import inverted
from tfinv.reporting import write_html, write_tensorboard
from tfinv.reporting.pages.records import write_records_pages
from tfinv.reporting.tensorboard.projector import Points, write_projector

pytestmark = pytest.mark.browser

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
)
PATIENCE = 90  # seconds, for a machine that has other work


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        if os.environ.get("CI") == "true" or os.environ.get("TFINV_REQUIRE_BROWSER") == "1":
            pytest.fail("Expected chromium and chromedriver on the path.")
        pytest.skip("needs chromium and chromedriver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    chrome.set_page_load_timeout(PATIENCE)
    yield chrome
    chrome.quit()


def _open(browser, address):
    _resize(browser, 1200)
    browser.get_log("browser")  # discards earlier entries
    browser.get(address)
    return browser


def _resize(browser, width, dark=False):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


@pytest.fixture(scope="module")
def pages(examples, tmp_path_factory):
    """Addresses of the reports of all kinds."""
    addresses = {}
    for kind, (results, source) in examples.items():
        folder = shutil.copytree(source, tmp_path_factory.mktemp("pages") / kind)
        addresses[kind] = write_html(results, folder).as_uri()
    table = "index,label,prediction,confidence,smallest_eps,fooled_by,membership\n0,1,1,.9,.02,pgd,2\n1,0,1,.8,0,,1\n"
    (folder / "records.csv").write_text(table)
    gray = np.full((2, 8, 8, 1), 0.5, np.float32)
    page, *_ = write_records_pages(folder, images=lambda _, rows: gray[: len(rows)], classes=("cat", "dog"))
    return addresses | {"records": page.as_uri()}


@pytest.fixture
def inversion_page(browser, pages):
    return _open(browser, pages["inverted"])


def test_the_inversion_page_is_read_from_top_to_bottom(inversion_page):
    assert inversion_page.get_log("browser") == []
    headings = inversion_page.execute_script("return [...document.querySelectorAll('h2')].map(h => h.textContent)")
    order = ["What the attacker had", "Pictures", "Inversion", "The course of the attack", "Training", "Set-up"]
    assert headings == ["Verdict", "Checks", *order]
    folded = inversion_page.execute_script(
        "return [...document.querySelectorAll('#inversion details')].map(d => d.open)"
    )
    assert folded == [False]
    # At its usual width no table has to be scrolled, and a picture in a grid is large enough to be recognised.
    wide = "return [...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).length"
    assert inversion_page.execute_script(wide) == 0
    widths = "return [...document.querySelectorAll('figure img')].map(i => i.width)"
    assert min(inversion_page.execute_script(widths)) >= 400


@pytest.mark.parametrize("width", [320, 1200])
def test_the_inversion_page_is_never_wider_than_the_window(inversion_page, width):
    _resize(inversion_page, width)
    inversion_page.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    widths = inversion_page.execute_script("const e = document.documentElement; return [e.scrollWidth, e.clientWidth]")
    assert widths[0] == widths[1] <= width


@pytest.fixture
def report(browser, pages):
    return _open(browser, pages["attacked"])


def test_the_report_loads_without_complaint(report):
    assert report.get_log("browser") == []
    sizes = report.execute_script("return [...document.images].map(i => [i.complete, i.naturalWidth])")
    assert len(sizes) == 6
    assert all(complete and width > 0 for complete, width in sizes)
    headings = report.execute_script("return [...document.querySelectorAll('h1, h2')].map(h => h.textContent)")
    assert headings == [
        "reproduce table1",
        "Verdict",
        "Checks",
        "Accuracy under attack",
        "Pictures",
        "Inversion",
        "Training",
        "Set-up",
    ]
    assert len(report.find_elements("css selector", "table caption")) == 8
    assert "2 of 5 checks failed" in report.find_element("id", "verdict").text
    # Nothing was fetched, not even an icon.
    assert report.execute_script("return performance.getEntriesByType('resource').map(e => e.name)") == []


@pytest.mark.parametrize("width", [400, 900, 1600])
@pytest.mark.parametrize("kind", ["audited", "membership", "trained", "records"])
def test_no_page_is_wider_than_the_window(browser, pages, kind, width):
    page = _open(browser, pages[kind])
    _resize(page, width)
    page.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    widths = page.execute_script("const e = document.documentElement; return [e.scrollWidth, e.clientWidth]")
    assert widths[0] == widths[1] <= width


def test_the_verdict_of_an_audit_and_its_pictures_are_one_screen(browser, pages):
    page = _open(browser, pages["audited"])
    _resize(page, 1600)
    bottoms = "return [...document.querySelectorAll('.grades > li, .highlights li')].map(e => e.getBoundingClientRect().bottom)"
    ends = page.execute_script(bottoms)
    assert len(ends) == 6 + 4
    assert max(ends) <= 900
    # The text takes the width that there is.
    grades = page.execute_script("return document.querySelector('.grades').getBoundingClientRect().width")
    assert grades > 0.75 * 1600


def test_a_picture_leads_to_itself_in_full(browser, pages):
    page = _open(browser, pages["audited"])
    page.find_element("css selector", ".highlights a").click()
    assert page.current_url.endswith("#figure-accuracy-curves")
    top = page.execute_script("return document.querySelector(':target').getBoundingClientRect().top")
    assert -1 <= top <= 100


@pytest.mark.parametrize("width", [320, 400, 1200])
def test_the_page_is_never_wider_than_the_window(report, width):
    _resize(report, width)
    report.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    widths = report.execute_script("const e = document.documentElement; return [e.scrollWidth, e.clientWidth]")
    assert widths[0] == widths[1] <= width


def test_the_page_works_without_scripts(report):
    report.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        report.refresh()
        assert "52.8" in report.find_element("id", "accuracy").text
        summary = report.find_element("css selector", "#other-checks summary")
        assert summary.text == "2 checks passed, 1 not judged"
        summary.click()
        assert "Look for a bug." in report.find_element("css selector", ".checklist .passed").text
    finally:
        report.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("dark", [False, True])
def test_texts_stand_out_from_the_page(report, dark):
    _resize(report, 1200, dark)
    colours = report.execute_script(
        "const paper = getComputedStyle(document.body).backgroundColor;"
        "return [...document.querySelectorAll('p, th, td, h1, h2, h3, a, span, summary, figcaption')]"
        ".map(e => [getComputedStyle(e).color, paper])"
    )
    assert min(_contrast(ink, paper) for ink, paper in set(map(tuple, colours))) >= 4.5  # WCAG AA


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", ["attacked", "inverted", "audited", "membership", "trained", "records"])
def test_no_page_has_a_barrier(browser, pages, axe, kind, dark):
    page = _open(browser, pages[kind])
    _resize(page, 1200, dark)
    page.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert _barriers(page, axe) == []


@pytest.fixture(scope="module")
def axe():
    """Source of axe-core, of a package that brings it along."""
    return (importlib.resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")


def _barriers(page, axe):
    """Rules of axe-core that the page breaks, with the first element that does."""
    page.execute_script(axe)
    result = page.execute_async_script("axe.run(document).then(arguments[0])")
    assert len(result["passes"]) > 10
    return [(v["id"], v["nodes"][0]["html"][:200]) for v in result["violations"]]


def test_keyboard_reaches_the_skip_link_first(report):
    from selenium.webdriver.common.keys import Keys

    report.find_element("tag name", "body").send_keys(Keys.TAB)
    assert report.switch_to.active_element.text == "Skip to the verdict"
    report.switch_to.active_element.send_keys(Keys.ENTER)
    assert report.current_url.endswith("#verdict")


def test_the_report_prints(report):
    pdf = base64.b64decode(report.print_page())
    assert pdf.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 12


@pytest.fixture(scope="module")
def server(examples, tmp_path_factory):
    results, workdir = examples["attacked"]
    folder = tmp_path_factory.mktemp("tensorboard")
    logdir = write_tensorboard(results, workdir, folder / "tb")
    training_images, training_labels, _, images, labels = inverted.arrays()
    kinds = [("training", training_images[:200], training_labels[:200]), ("none, miface", images, labels)]
    write_projector(logdir, [Points(k, x.reshape(len(x), -1), x, [f"digit {i}" for i in y]) for k, x, y in kinds])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", f"--logdir={logdir}", "--host=127.0.0.1", f"--port={port}"]
    with open(folder / "server.log", "w+", encoding="utf-8") as log:
        # A session of its own, so that the data server which it starts ends with it.
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        address = f"http://127.0.0.1:{port}/"
        try:
            _wait(lambda: len(_tags(address, "scalars", "shuffled", process)) == 4)
            yield address
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)


def test_tensorboard_serves_the_summaries(server):
    assert set(_tags(server, "images", "report")) == {"accuracy_curves", "reconstructions", "neighbours"}
    assert "accuracy/pgd" in _tags(server, "scalars", "baseline")
    points = _json(f"{server}data/plugin/scalars/scalars?run=baseline&tag=accuracy/pgd")
    assert [step for _, step, _ in points] == [0, 500, 1000, 2500]
    assert [value for _, _, value in points] == pytest.approx([0.9885, 0.928, 0.538, 0.0])
    (text,) = _json(f"{server}data/plugin/text/text?run=report&tag=2%20checks")
    assert "<td>black-box-is-weaker</td>" in html.unescape(text["text"])


def test_the_projector_serves_the_points(server):
    _wait(lambda: _json(f"{server}data/plugins_listing")["projector"]["enabled"])
    assert _json(f"{server}data/plugin/projector/runs") == ["projector"]
    (embedding,) = _json(f"{server}data/plugin/projector/info?run=projector")["embeddings"]
    assert embedding["tensorShape"] == [212, 64]
    query = "run=projector&name=features"
    with urllib.request.urlopen(f"{server}data/plugin/projector/tensor?{query}&num_rows=1000", timeout=30) as reply:
        assert len(reply.read()) == 4 * 212 * 64
    with urllib.request.urlopen(f"{server}data/plugin/projector/metadata?{query}&num_rows=1000", timeout=30) as reply:
        assert len(reply.read().decode().splitlines()) == 213
    with urllib.request.urlopen(f"{server}data/plugin/projector/sprite_image?{query}", timeout=30) as reply:
        assert reply.read().startswith(b"\x89PNG")


def test_tensorboard_shows_them(browser, server):
    _resize(browser, 1400)
    browser.get(f"{server}?page=1#timeseries")
    _wait(lambda: "/fgsm" in _page_text(browser) and "shuffled" in _page_text(browser))
    browser.get(f"{server}?page=2#images")
    _wait(lambda: browser.execute_script(_DEEP + "return all('img').some(i => i.naturalWidth > 1000)"))
    assert "reconstructions" in _page_text(browser)
    browser.get(f"{server}?page=3#text")
    _wait(lambda: "iterative-beats-single-step" in _page_text(browser))


# TensorBoard keeps its page in shadow roots.
_DEEP = """
function all(selector, root = document) {
  const found = [...root.querySelectorAll(selector)];
  for (const e of root.querySelectorAll('*')) if (e.shadowRoot) found.push(...all(selector, e.shadowRoot));
  return found;
}
"""


def _page_text(browser):
    return browser.execute_script(_DEEP + "return all('*').map(e => e.innerText || '').join(' ')")


def _wait(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"Not so after {PATIENCE} s.")
        time.sleep(0.3)


def _tags(address, plugin, run, process=None):
    if process is not None and process.poll() is not None:
        pytest.fail("TensorBoard ended.")
    try:
        return _json(f"{address}data/plugin/{plugin}/tags").get(run, {})
    except (urllib.error.URLError, ConnectionError):
        return {}


def _json(address):
    with urllib.request.urlopen(address, timeout=30) as reply:
        return json.load(reply)


def _contrast(ink, paper):
    light, dark = sorted((_luminance(ink), _luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour):
    parts = [int(p) / 255 for p in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
