"""The site's own static files as they are collected."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage

from genreweb.settings import BASE_DIR
from genreweb.storage import StaticStorage

CSS = BASE_DIR / "static" / "css"


@pytest.fixture
def collected(tmp_path: Path) -> StaticStorage:
    """Give a folder into which the style sheets of every page were collected."""
    storage = StaticStorage(location=tmp_path, base_url="/static/")
    source = FileSystemStorage(location=BASE_DIR / "static")
    names = [f"css/{path.name}" for path in CSS.glob("*.css")]
    for name in names:
        with source.open(name) as file:
            storage.save(name, file)
    done = list(storage.post_process({name: (source, name) for name in names}))
    assert not [failed for *_names, failed in done if isinstance(failed, Exception)]
    return storage


def test_what_every_page_has_is_one_file(collected: StaticStorage, tmp_path: Path) -> None:
    [path] = (tmp_path / "css").glob("site.*.css")
    text = path.read_text()
    assert "@import" not in text
    for part in ("tokens", "base", "components", "player", "overlays"):
        assert (CSS / f"{part}.css").read_text().strip() in text
    # The order decides which rule wins.
    assert text.index("--paper") < text.index("body.has-player") < text.index(".toast-card")
    assert path.with_suffix(".css.gz").exists()
    # Uncollected, as under `make dev`, the browser follows the imports.
    assert (CSS / "site.css").read_text().count("@import") == 5
