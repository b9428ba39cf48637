"""What the first page weighs, and that pages can be gone through by keyboard alone."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from e2e.conftest import sign_in
from genreweb.trial import REPOSITORY, Site

pytestmark = pytest.mark.e2e

MOST_BYTES = 200_000
# What Lighthouse calls a slow 4G, for a phone with a quarter of this machine's speed.
SLOW_4G = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1_638_400 / 8,
    "uploadThroughput": 768_000 / 8,
}
SLOWER = 4
TIMES = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return {server: page.responseStart, painted: paint.startTime, loaded: page.loadEventEnd};
}"""
# What the tab key must reach, each with a number. Of radio buttons the browser gives the chosen one alone.
NUMBER = """() => {
  const fields = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  const reached = [...document.querySelectorAll(fields)].filter(each =>
    each.checkVisibility({visibilityProperty: true})
    && !each.matches(":disabled, [tabindex='-1'], [type=radio], [inert] *"));
  reached.forEach((each, number) => { each.dataset.tab = number; });
  return reached.length;
}"""
# The number of what has the focus, and whether that can be seen.
FOCUSED = """() => {
  const each = document.activeElement;
  if (!each || each === document.body) return null;
  const style = getComputedStyle(each);
  const near = each.labels?.[0] ? getComputedStyle(each.labels[0]) : style;
  const seen = [style, near].some(one => one.outlineStyle !== "none" || one.boxShadow !== "none");
  return {number: each.dataset.tab ?? "", seen, words: each.outerHTML.slice(0, 160)};
}"""
PAGES = (
    "/",
    "/tracks/",
    "/tracks/{track}/",
    "/playlists/{playlist}/",
    "/contribute/",
    "/training/runs/",
    "/account/",
)


@pytest.mark.chromium_only("the weight of what came over the line is told by its own protocol")
def test_the_first_page_is_light(open_page: Callable[..., Page]) -> None:
    page = open_page()
    sizes: dict[str, float] = {}
    addresses: dict[str, str] = {}
    session = page.context.new_cdp_session(page)
    session.on(
        "Network.responseReceived",
        lambda told: addresses.update({told["requestId"]: told["response"]["url"]}),
    )
    session.on(
        "Network.loadingFinished", lambda told: sizes.update({told["requestId"]: told["encodedDataLength"]})
    )
    session.send("Network.enable")
    page.goto("/", wait_until="networkidle")
    weights = {address: sizes.get(request, 0) for request, address in addresses.items()}
    assert len(weights) > 5
    fonts = (".woff2", ".woff", ".ttf")
    weight = sum(size for address, size in weights.items() if not address.endswith(fonts))
    assert 10_000 < weight < MOST_BYTES, sorted(weights.items(), key=lambda each: -each[1])[:8]


@pytest.mark.chromium_only("it can be slowed down")
def test_the_first_page_is_timed_on_a_slow_line(open_page: Callable[..., Page]) -> None:
    """Print the milliseconds and write them to var/e2e/: they depend on the machine, so none is a limit."""
    taken = []
    for _visit in range(3):
        page = open_page(viewport={"width": 390, "height": 844})
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", SLOW_4G)
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.goto("/")
        taken.append({name: round(value) for name, value in page.evaluate(TIMES).items()})
        blocking = page.evaluate(
            "performance.getEntriesByType('resource')"
            ".filter(each => each.renderBlockingStatus === 'blocking').map(each => each.name)"
        )
        page.close()
    # A browser asks an address for six things at a time: what it needs before it paints comes in one go.
    assert 1 < len(blocking) <= 6, blocking
    best = min(taken, key=lambda each: each["painted"])
    assert best["server"] < best["painted"] <= best["loaded"] + 1000
    print(f"The first page on a slow 4G with {SLOWER} x CPU, in ms: {best}; all: {taken}")
    target = REPOSITORY / "var" / "e2e" / "first-page.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"best": best, "all": taken}, indent=1))


@pytest.mark.chromium_only(
    "from a page's end the focus goes on into the window of Firefox, which nobody sees"
)
def test_pages_are_gone_through_by_keyboard_alone(
    open_page: Callable[..., Page], site: Site, ids: dict[str, object]
) -> None:
    page = open_page(reduced_motion="reduce")
    sign_in(page, site)
    wrong = []
    for path in PAGES:
        page.goto(path.format(**ids), wait_until="networkidle")
        wanted = {str(number) for number in range(page.evaluate(NUMBER))}
        reached: set[str] = set()
        for _press in range(len(wanted) + 20):
            page.keyboard.press("Tab")
            focused = page.evaluate(FOCUSED)
            # The browser goes on to its own window, or where it has none, to the start of the page.
            if focused is None or (focused["number"] == "0" and reached):
                break
            reached.add(focused["number"])
            if not focused["seen"]:
                wrong.append(f"{path} does not show the focus of {focused['words']}")
        else:
            wrong.append(f"{path} does not let the focus go")
        for number in wanted - reached:
            words = page.locator(f"[data-tab='{number}']").evaluate("each => each.outerHTML.slice(0, 160)")
            wrong.append(f"{path} does not reach {words}")
    assert not wrong, "\n".join(wrong)
