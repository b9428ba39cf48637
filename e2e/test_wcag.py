"""Every page as axe-core sees it: the rules of WCAG 2.2 A and AA, and its own best practices."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from e2e.conftest import PATIENCE, sign_in
from e2e.pages import ADMIN, NOTHING, PUBLIC, SIGNED_IN
from genreweb.embedded.paths import REPOSITORY
from genreweb.trial import Site

pytestmark = pytest.mark.e2e

AXE = REPOSITORY / "node_modules" / "axe-core" / "axe.min.js"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# Django leaves the heads of two columns of its tables of inlines empty; they hold nothing that we wrote.
FOREIGN = ".inline-group thead"
# What a rule found, short enough to be read among those of fifty pages.
# Transitions end at once: a colour on its way to another is none that anybody reads.
RUN = """async ([exclude, options]) => {
  document.getAnimations().filter(each => each instanceof CSSTransition).forEach(each => each.finish());
  const found = await axe.run({exclude: [exclude]}, {...options, resultTypes: ["violations"]});
  return found.violations.map(
  rule => `${rule.id}: ${rule.nodes.slice(0, 3).map(node => `${node.target} ${node.any.concat(node.all,
  node.none).map(check => check.message).join("; ")}`).join(" | ").slice(0, 600)}`);
}"""
# In Firefox a page learns of the theme with its next frame.
IS_DARK = """() => new Promise((done) => requestAnimationFrame(
  () => done(matchMedia("(prefers-color-scheme: dark)").matches)))"""
TAGS = {"runOnly": {"type": "tag", "values": RULES}}
WORDS = {**TAGS, "rules": {"color-contrast": {"enabled": False}}}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}


def visitor(browser: Browser, site: Site, language: str) -> BrowserContext:
    context = browser.new_context(
        base_url=site.address,
        viewport={"width": 1280, "height": 900},
        locale=language,
        color_scheme="light",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE)
    # Playwright hands it to each page itself; the content policy stays as it is.
    context.add_init_script(path=AXE)
    return context


def faults(page: Page, paths: Sequence[str], *, colours: bool, **ids: object) -> list[str]:
    """Give what is wrong with pages; with `colours`, also with those of the light and the dark theme."""
    found = []
    for path in paths:
        address = path.format(**ids)
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == (404 if path == NOTHING else 200), address
        found += [f"{path} {words}" for words in page.evaluate(RUN, [FOREIGN, TAGS if colours else WORDS])]
        if colours:
            page.emulate_media(color_scheme="dark")
            assert page.evaluate(IS_DARK), path
            found += [f"{path} in dark, {words}" for words in page.evaluate(RUN, [FOREIGN, COLOURS])]
            page.emulate_media(color_scheme="light")
    return found


@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_page_breaks_a_rule(browser: Browser, site: Site, ids: dict[str, object], language: str) -> None:
    # The colours are the same in both languages, and the words of the administration are Django's.
    english = language == "en"
    context = visitor(browser, site, language)
    page = context.new_page()
    found = faults(page, (*PUBLIC, NOTHING), colours=english, **ids)
    sign_in(page, site)
    found += faults(page, (*SIGNED_IN, *(ADMIN if english else ())), colours=english, **ids)
    context.close()
    assert not found, "\n".join(found)


def test_a_fault_is_found(browser: Browser, site: Site) -> None:
    context = visitor(browser, site, "en")
    page = context.new_page()
    page.goto("/accounts/login/")
    page.evaluate("document.querySelector('input[type=email]').labels[0].remove()")
    page.evaluate("document.documentElement.removeAttribute('lang')")
    found = " ".join(page.evaluate(RUN, [FOREIGN, TAGS]))
    context.close()
    assert "html-has-lang" in found
    assert "label" in found
