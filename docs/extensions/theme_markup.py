"""Mends what Sphinx and the theme write: style attributes and a function made of a string, which the content
security policy of the site forbids, and names, levels and focus that a keyboard or a screen reader needs.

The styles are those of icons: in SVG the same can be said by attributes of their own. Any other is reported.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.util import logging

_OF_ICONS = re.compile(r'(<(?:svg|path|line|circle)\b[^>]*?) style="(display|opacity): ([\w%]+);?"')
_PLURAL = re.compile(r"new Function\(\s*\"n\",\s*`return \(\$\{catalog\.plural_expr\}\)`,?\s*\)")
_ANY = re.compile(r'<\w+\b[^>]*\sstyle="[^"]*"')
_WORDS = {
    "en": {"pages": "Pages", "contents": "On this page", "search": "Search"},
    "ko": {"pages": "페이지", "contents": "이 페이지의 내용", "search": "검색"},
}


def mend(text: str, language: str) -> str:
    """Give a page without the style attributes of icons, with names of landmarks and levels of headings."""
    words = _WORDS[language]
    text = _OF_ICONS.sub(r'\1 \2="\3"', text)
    for plain, mended in (
        ('<aside class="sidebar-drawer"', f'<aside aria-label="{words["pages"]}" class="sidebar-drawer"'),
        ('<aside class="toc-drawer', f'<aside aria-label="{words["contents"]}" class="toc-drawer'),
        ('<p class="caption" role="heading"', '<p class="caption" role="heading" aria-level="2"'),
        # A line that is too long is scrolled to by keyboard, too.
        ("<pre>", '<pre tabindex="0">'),
        (
            '<div id="search-results">',
            f'<h1 class="help-unseen">{words["search"]}</h1><div id="search-results">',
        ),
    ):
        text = text.replace(plain, mended)
    return text


def _build_finished(app: Any, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    for page in sorted(Path(app.outdir).rglob("*.html")):
        text = mend(page.read_text(), app.config.language)
        for tag in _ANY.findall(text):
            logging.getLogger(__name__).warning("%s: the policy of the site forbids %s", page.name, tag)
        page.write_text(text)
    # Neither language of the pages has plural forms that its translations would need.
    script = Path(app.outdir) / "_static" / "doctools.js"
    text, found = _PLURAL.subn("() => 0", script.read_text())
    if not found:
        logging.getLogger(__name__).warning("%s makes its functions otherwise by now", script.name)
    script.write_text(text)


def setup(app: Any) -> dict[str, bool]:
    app.connect("build-finished", _build_finished)
    return {"parallel_read_safe": True}
