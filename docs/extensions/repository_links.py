"""Links between the help pages and the documents that lie elsewhere in the repository, which they include.

A document is written to be read where it lies. Here its links lead to the page that includes their target, or
are words alone where the target is no page. A target that is not there stays, and Sphinx reports it.
"""

from __future__ import annotations

import re
from fnmatch import fnmatch
from html import escape
from os.path import relpath
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent
REPOSITORY = DOCS.parent
RELEASES = REPOSITORY / "classifier" / "releases"
# Which page includes what, by patterns.
PAGES = {
    "README.md": "developer/readme.md",
    "CONTRIBUTING.md": "developer/contributing.md",
    "ARCHITECTURE.md": "developer/architecture.md",
    "CHANGELOG.md": "developer/changelog.md",
    "SECURITY.md": "administrator/security.md",
    "docs/decisions/README.md": "developer/decisions.md",
    "classifier/releases/*/MODEL_CARD.md": "developer/model-card.md",
    "classifier/releases/*/EVALUATION.md": "developer/evaluation.md",
}
_LINK = re.compile(r"(?P<image>!?)\[(?P<words>[^\]]*)\]\((?P<target>[^)\s#]*)(?P<anchor>#[^)\s]*)?\)")
_SCHEME = re.compile(r"[a-z]+:|/|$")


def newest_release() -> str:
    """Give the folder of the classifier that ships."""
    return max(
        (folder.parent.name for folder in RELEASES.glob("*/MODEL_CARD.md")),
        key=lambda name: [int(part) for part in name.split(".")],
    )


def page_of(path: Path) -> Path | None:
    """Give the help page that shows a file, or None where no page does."""
    if path.is_dir() and (path / "README.md").exists():
        path = path / "README.md"
    inside = str(path.relative_to(REPOSITORY))
    page = next((DOCS / page for pattern, page in PAGES.items() if fnmatch(inside, pattern)), None)
    return path if page is None and path.is_relative_to(DOCS) and path.is_file() else page


def _site_of(page: Path) -> Path:
    """Give the folder that Sphinx makes pages of, of which this is one."""
    return DOCS / "ko" if page.is_relative_to(DOCS / "ko") else DOCS


def rewrite(text: str, *, folder: Path, source: Path) -> str:
    """Let the links of a document of `folder` lead to help pages; `source` is the folder of all of these."""

    def link(found: re.Match[str]) -> str:
        target, words, anchor = found["target"], found["words"], found["anchor"] or ""
        path = (folder / target).resolve()
        if _SCHEME.match(target) or not path.exists() or not path.is_relative_to(REPOSITORY):
            return found.group()
        page = page_of(path)
        if page is None:
            return words
        if found["image"]:
            return f"![{words}]({f'/{page.relative_to(DOCS)}' if source == DOCS else relpath(page, folder)})"
        if _site_of(page) == source:
            return f"[{words}](/{page.relative_to(source)}{anchor})"
        # A page in the other language: made in another run, beside these.
        address = relpath(page.with_suffix(".html"), folder)
        return f'<a href="{escape(address + anchor)}">{words}</a>'

    return _LINK.sub(link, text)


def _source_read(app: Any, docname: str, content: list[str]) -> None:
    text = content[0].replace("NEWEST_RELEASE", newest_release())
    source = Path(app.srcdir)
    content[0] = rewrite(text, folder=(source / docname).parent, source=source)


def _include_read(app: Any, path: Path, _docname: str, content: list[str]) -> None:
    source = Path(app.srcdir)
    # Diagrams would need a script from elsewhere to be drawn.
    text = content[0].replace("```mermaid", "```text")
    content[0] = rewrite(text, folder=(source / path).resolve().parent, source=source)


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", _source_read)
    app.connect("include-read", _include_read)
    return {"parallel_read_safe": True}
