"""The site learns the time zone of the browser from the first page, and writes moments in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e


def test_moments_are_written_as_the_readers_clock_shows_them(person: Callable[..., Page]) -> None:
    # Fourteen hours before UTC: mostly another day.
    page = person(timezone_id="Pacific/Kiritimati")
    (told,) = [one for one in page.context.cookies() if one.get("name") == "timezone"]
    assert told.get("value") == "Pacific/Kiritimati"
    made = page.evaluate(
        """async () => {
          const form = new FormData();
          form.append("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
          const answer = await fetch("/account/export/", { method: "POST", body: form });
          return answer.headers.get("Content-Disposition");
        }"""
    )
    today = page.evaluate("new Date().toLocaleDateString('sv')")
    assert today in made
