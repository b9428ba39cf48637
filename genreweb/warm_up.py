"""What the web server reads before it forks, which else the first readers after each start would wait for."""

from __future__ import annotations

from contextlib import suppress

from django.conf import settings
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template
from django.urls import reverse
from django.utils.translation import gettext, override


def read_templates_and_languages() -> int:
    """Compile the site's templates, and read the languages and addresses; give the number of templates."""
    if settings.DEBUG:
        return 0
    compiled = 0
    folder = settings.BASE_DIR / "templates"
    for path in sorted(folder.rglob("*.html")):
        # A page whose template is wrong says so when it is asked for; the others are there.
        with suppress(TemplateDoesNotExist, TemplateSyntaxError):
            get_template(str(path.relative_to(folder)))
            compiled += 1
    for language, _name in settings.LANGUAGES:
        with override(language):
            gettext("Upload")
            # Addresses are kept for each language.
            reverse("library:home")
    return compiled
