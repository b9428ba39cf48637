"""The site's own static files as they are collected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage

from genreweb.settings import BASE_DIR
from genreweb.storage import StaticStorage
from genreweb.style_sheets import BOOTSTRAP, USED, used_part

CSS = BASE_DIR / "static" / "css"
LIBRARY = BASE_DIR / "node_modules" / "bootstrap" / "dist" / "css" / "bootstrap.min.css"


@pytest.fixture
def collected(tmp_path: Path) -> StaticStorage:
    """Give a folder into which the style sheets of every page were collected."""
    storage = StaticStorage(location=tmp_path, base_url="/static/")
    source = FileSystemStorage(location=BASE_DIR / "static")
    found = {f"css/{path.name}": (source, f"css/{path.name}") for path in CSS.glob("*.css")}
    library = FileSystemStorage(location=LIBRARY.parent)
    found |= {f"{BOOTSTRAP}{end}": (library, f"{LIBRARY.name}{end}") for end in ("", ".map")}
    for name, (place, path) in found.items():
        with place.open(path) as file:
            storage.save(name, file)
    done = list(storage.post_process(found))
    assert not [failed for *_names, failed in done if isinstance(failed, Exception)]
    return storage


def test_what_every_page_has_is_one_file(collected: StaticStorage, tmp_path: Path) -> None:
    [path] = (tmp_path / "css").glob("site.*.css")
    text = path.read_text()
    assert "@import" not in text
    for part in ("tokens", "base", "components", "player", "overlays"):
        assert (CSS / f"{part}.css").read_text().strip() in text
    # The order decides which rule wins.
    assert (
        text.index(".form-select-sm{")
        < text.index("--paper: ")
        < text.index("body.has-player")
        < text.index(".toast-card")
    )
    assert path.with_suffix(".css.gz").exists()
    # Uncollected, as under `make dev`, the browser follows the imports.
    assert (CSS / "site.css").read_text().count("@import") == 6
    # Of the library what the pages use.
    assert ".btn-primary{" in text
    assert ".navbar" not in text
    assert len(text) < 80_000


def test_every_class_of_the_library_in_a_template_is_kept() -> None:
    known = set(re.findall(r"\.(-?[a-zA-Z_][\w-]*)", LIBRARY.read_text()))
    found = set()
    for path in (BASE_DIR / "templates").rglob("*.html"):
        words = re.sub(r"{%.*?%}|{{.*?}}", " ", path.read_text())
        for value in re.findall(r"class=[\"']([^\"']*)", words):
            found.update(re.findall(r"[\w-]+", value))
    tags = [
        path
        for app in ("genreweb", "library", "training")
        for path in (BASE_DIR / app).rglob("templatetags/*.py")
    ]
    for path in [*(BASE_DIR / "static" / "js").rglob("*.js"), *tags]:
        # The library's names of one word are also words of code.
        found.update(word for word in re.findall(r"[\w-]+", path.read_text()) if "-" in word)
    assert {"btn", "form-select", "visually-hidden"} <= found & known
    assert found & known <= USED
    # Nor is anything kept that no page has.
    assert found >= USED


def test_rules_that_match_nothing_are_left_out() -> None:
    sheet = (
        '@charset "UTF-8";:root{--a:1px;--b:"}";--c:var(--a);--d:2px}.btn,.nav .btn{left:var(--c)}'
        ".btn:not(.nav){top:0}.btn:is(.nav){top:1px}@media (min-width:9px){.nav{top:2px}.btn{top:3px}}"
        "@media print{.nav{top:4px}}@keyframes turn{0%{top:0}}p{top:5px}"
    )
    assert used_part(sheet, used={"btn"}, beside="x{right:var(--d)}") == (
        ":root{--a:1px;--c:var(--a);--d:2px}.btn{left:var(--c)}.btn:not(.nav){top:0}"
        "@media (min-width:9px){.btn{top:3px}}p{top:5px}"
    )
