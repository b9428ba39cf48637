"""The pages of help as the site serves them: under its policy, without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from genreweb.trial import Site

pytestmark = pytest.mark.e2e


def test_the_footer_leads_to_pages_that_work(open_page: Callable[..., Page], site: Site) -> None:
    page = open_page()
    elsewhere: list[str] = []
    page.on("request", lambda made: None if made.url.startswith(site.address) else elsewhere.append(made.url))
    page.goto("/catalogue/")
    page.get_by_role("contentinfo").get_by_role("link", name="Help").click()
    expect(page.get_by_role("heading", name="Genreweb help", level=1)).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="For listeners").click()
    picture = page.get_by_role("main").locator("img").first
    expect(picture).to_have_js_property("naturalWidth", 1280)

    # The theme's script runs: the button goes from one theme to the next.
    before = page.locator("body").get_attribute("data-theme")
    page.get_by_role("button", name="color theme").locator("visible=true").click()
    expect(page.locator("body")).not_to_have_attribute("data-theme", before or "")

    page.get_by_role("search").get_by_role("textbox").fill("QUOTA_TRACKS")
    page.keyboard.press("Enter")
    page.locator("#search-results").get_by_role("link", name="Environment variables").first.click()
    expect(page.get_by_role("cell", name="QUOTA_TRACKS", exact=True)).to_be_visible()
    assert elsewhere == []


def test_korean_leads_to_korean_and_back(open_page: Callable[..., Page], site: Site) -> None:
    page = open_page(locale="ko")
    page.goto("/catalogue/")
    page.get_by_role("contentinfo").get_by_role("link", name="도움말").click()
    expect(page.get_by_role("heading", name="Genreweb 도움말", level=1)).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "ko"
    page.get_by_role("main").get_by_role("link", name="결과 읽기").click()
    page.get_by_role("link", name="모델 카드").click()
    expect(page.get_by_role("heading", name="Limits and biases")).to_be_visible()
    page.get_by_role("link", name="Back to the site").click()
    expect(page).to_have_url(f"{site.address}/")
