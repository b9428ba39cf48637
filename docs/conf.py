"""The pages of help, which Sphinx makes from these files and Genreweb serves at /help/: tools/build_help.sh.

Made twice: in English from this folder, and with the tag ``ko`` in Korean from ``ko/``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

KOREAN = "ko" in tags  # type: ignore[name-defined]  # noqa: F821  # Sphinx puts it here

project = "Genreweb"
language = "ko" if KOREAN else "en"
extensions = ["myst_parser", "repository_links", "variables", "theme_markup"]
exclude_patterns = [] if KOREAN else ["_build", "ko", "decisions/README.md"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
smartquotes = False

html_theme = "furo"
html_title = "Genreweb 도움말" if KOREAN else "Genreweb help"
html_favicon = "../static/img/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["help.css"]
templates_path = ["_templates"]
html_sidebars = {
    "**": [
        *("sidebar/brand.html", "back.html", "sidebar/search.html", "sidebar/scroll-start.html"),
        *("sidebar/navigation.html", "sidebar/scroll-end.html"),
    ]
}
html_context = {"back": "사이트로 돌아가기" if KOREAN else "Back to the site"}
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
