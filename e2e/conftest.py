"""A real site, a real browser, real sound."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from e2e import firefox
from genreweb.trial import REPOSITORY, Site
from library.tests.sounds import chords, wav

SHARED = Path(os.environ.get("GENREWEB_SHARED", REPOSITORY.parent / "shared"))
MUSIC = SHARED / "data" / "gtzan" / "audio"
PATIENCE = 120_000
"""Milliseconds that a page may take to show what it must; a slow machine must not fail a test."""
expect.set_options(timeout=PATIENCE)
PAGES = (
    "test_bin",
    "test_contribute",
    "test_help",
    "test_samples",
    "test_wcag",
    "test_weight",
    "test_widths",
)
"""What the one of two processes runs, each with a site of its own; the other runs the rest, as long.

In each the order is that of the files: the rows of `ids` give every track a long name, and the tests of the
review delete all clips.
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pictures", action="store_true", help="make pictures instead of testing (make pictures)"
    )
    parser.addoption("--firefox", action="store_true", help="drive Firefox instead of Chromium")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.xdist_group("pages" if item.path.stem in PAGES else "flows"))
    if not config.getoption("--firefox"):
        return
    missing = None if _firefox() else pytest.mark.skip(reason="no Firefox on the PATH, nor in FIREFOX")
    for item in items:
        if missing:
            item.add_marker(missing)
        elif only := item.get_closest_marker("chromium_only"):
            item.add_marker(pytest.mark.skip(reason=f"Chromium only: {only.args[0]}"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path.name == "test_pictures.py" and not config.getoption("--pictures"):
        return True
    return None


def _chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.fail("No Chromium found: install it, or name one in CHROMIUM.")
    return found


def _firefox() -> str | None:
    names = ("firefox-esr", "firefox")
    return os.environ.get("FIREFOX") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Serve a folder from an origin that the site lets use its API."""
    folder = tmp_path_factory.mktemp("elsewhere")
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()


@pytest.fixture(scope="session")
def site(elsewhere: tuple[str, Path]) -> Iterator[Site]:
    with Site(CORS_ALLOWED_ORIGINS=elsewhere[0]) as running:
        yield running


@pytest.fixture(scope="session")
def ids(site: Site) -> dict[str, object]:
    """Make the rows that the pages show; give what stands in the braces of their addresses.

    The tests of the review delete every clip, so what uses this comes after them.
    """
    from e2e.pages import fill

    return fill(site)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with `song.wav`, `other.wav`, `microphone.wav` and a `broken.mp3`."""
    folder = tmp_path_factory.mktemp("sounds")
    (folder / "song.wav").write_bytes(wav(chords(20, seed=1)))
    (folder / "other.wav").write_bytes(wav(chords(8, seed=2)))
    (folder / "microphone.wav").write_bytes(wav(chords(30, seed=3, rate=48000), rate=48000))
    (folder / "broken.mp3").write_text("This is no music.")
    return folder


@pytest.fixture(scope="session")
def song(sounds: Path) -> Path:
    """Give a real clip where there is one, else chords."""
    clips = sorted((MUSIC / "jazz").glob("*")) if MUSIC.is_dir() else []
    return clips[0] if clips else sounds / "song.wav"


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def in_firefox(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--firefox"))


@pytest.fixture(scope="session")
def browser(
    playwright: Playwright, sounds: Path, in_firefox: bool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    if in_firefox:
        running = playwright.firefox.launch(
            channel="moz-firefox",
            executable_path=firefox.program(_firefox() or "", tmp_path_factory.mktemp("firefox")),
            firefox_user_prefs=firefox.PREFERENCES,
        )
    else:
        running = playwright.chromium.launch(
            executable_path=_chromium(),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--autoplay-policy=no-user-gesture-required",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={sounds / 'microphone.wav'}",
            ],
        )
    yield running
    running.close()


@pytest.fixture
def open_page(
    browser: Browser, site: Site, in_firefox: bool, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """Open pages of the site; a test fails where one of them logs an error or breaks the content policy.

    Tests in which the site is away say so with the marker `answers`.
    """
    marker = request.node.get_closest_marker("answers")
    made = tuple(f"status of {status}" for status in marker.args) if marker else ()
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def make(**options: object) -> Page:
        if in_firefox:
            # Its preferences allow the microphone.
            options.pop("permissions", None)
        context = browser.new_context(
            **{"base_url": site.address, "viewport": {"width": 1280, "height": 900}, **options},  # type: ignore[arg-type]  # Playwright's own
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on(
            "pageerror", lambda error: complaints.append(str(error)) if is_unexpected(str(error)) else None
        )
        page.on("console", lambda said: complaints.append(said.text) if is_complaint(said) else None)
        return page

    yield make
    for context in contexts:
        context.close()
    assert [words for words in complaints if not any(each in words for each in made)] == []


def is_complaint(said: ConsoleMessage) -> bool:
    return said.type == "error" and is_unexpected(said.text)


def is_unexpected(words: str) -> bool:
    # Chromium calls every refusal an error; refusing a bad file is what the site should do, and the net is
    # only ever away where a test takes it away. Firefox calls it an error of the page that no stream of
    # events can be had, which pages get over. The hash is that of "body {}", by which Playwright brings
    # animations to a stop for a picture, and which the content policy refuses there.
    expected = (
        "status of 422",
        "net::ERR_INTERNET_DISCONNECTED",
        "Firefox can’t establish a connection to the server at",
        "sha256-YjaKGiklmzC6wjXA513HAMmzus8VE61XCOT+SmwNZWA=",
    )
    return not any(each in words for each in expected)


@pytest.fixture
def person(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Give a page of somebody who just signed up."""
    count = 0

    def make(**options: object) -> Page:
        nonlocal count
        count += 1
        page = open_page(**options)
        sign_up(page, f"{os.urandom(4).hex()}-{count}@example.org")
        return page

    return make


PASSWORD = "plenty-of-jazz-42"


def sign_up(page: Page, email: str) -> None:
    page.goto("/accounts/signup/")
    page.locator("input[type=email]").fill(email)
    passwords = page.locator("input[type=password]")
    for place in range(passwords.count()):
        passwords.nth(place).fill(PASSWORD)
    page.locator("main form button[type=submit]").click()
    # Until the next page is loaded, as after signing in: a `goto` that begins before may be interrupted.
    page.wait_for_url(lambda url: "/accounts/" not in url)
    page.get_by_role("heading", name="What does it sound like?").wait_for()


def sign_in(page: Page, site: Site) -> None:
    """Sign in as the site's administrator, who is a curator as well."""
    page.goto("/accounts/login/")
    fill_in(page, site.email, site.password)


def fill_in(page: Page, email: str, password: str) -> None:
    """Sign in on the page for it, which may be in any language and offers passkeys too."""
    page.locator("input[type=email]").fill(email)
    page.locator("input[type=password]").fill(password)
    page.locator("main form button.btn-primary[type=submit]").click()
    page.wait_for_url(lambda url: "/accounts/" not in url)


def analysed(site: Site, sound: bytes, *, name: str) -> str:
    """Send a track and wait until it is analysed, however slow the machine is; give its id."""
    status, answer = site.upload(sound, name=name)
    until = time.monotonic() + PATIENCE / 1000
    while answer.get("status") in {"queued", "running"} and time.monotonic() < until:
        time.sleep(0.5)
        status, answer = site.request("GET", f"/api/v1/tracks/{answer['id']}/")
    assert (status, answer["status"]) == (200, "done"), answer
    return str(answer["id"])


def shell(site: Site, code: str, *, within: float = 120) -> str:
    """Run `code` in the site's own shell; give what it printed."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", code],
        cwd=REPOSITORY,
        env=site.environment,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
