"""A passkey in a real browser, with the authenticator that Chromium itself plays."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from e2e.conftest import PASSWORD, sign_up
from genreweb.trial import Site

pytestmark = pytest.mark.e2e


def plug_in_authenticator(page: Page) -> None:
    """Give the browser an authenticator that confirms everything at once."""
    tools = page.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


@pytest.mark.chromium_only("it can play an authenticator")
def test_a_passkey_is_added_and_signs_in(open_page: Callable[..., Page], site: Site) -> None:
    # A passkey belongs to a name, never to an address of the network.
    page = open_page(base_url=f"http://localhost:{site.port}")
    plug_in_authenticator(page)
    sign_up(page, f"{os.urandom(4).hex()}@example.org")
    page.goto("/account/")
    page.get_by_role("link", name="Apps, passkeys and recovery codes").click()
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Name").fill("My laptop")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.goto("/accounts/2fa/")
    expect(page.get_by_text("My laptop")).to_be_visible()

    page.goto("/accounts/logout/")
    page.locator("main form button[type=submit]").click()
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="What does it sound like?")).to_be_visible()
    page.goto("/account/")
    expect(page.get_by_text("On · Apps")).to_be_visible()


def test_a_browser_without_the_passkey_is_told_so(open_page: Callable[..., Page], site: Site) -> None:
    page = open_page(base_url=f"http://localhost:{site.port}")
    page.add_init_script(
        "if (navigator.credentials) navigator.credentials.get ="
        " () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    )
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_have_text("That did not work, or was cancelled. Try again.")
    assert page.url.endswith("/accounts/login/")
