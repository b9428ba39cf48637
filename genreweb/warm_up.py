"""What the web server reads before it forks, or starts afterwards, for which else the first people after each
start would wait."""

from __future__ import annotations

import logging
from contextlib import suppress
from importlib import import_module

from django.conf import settings
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template
from django.urls import reverse
from django.utils.translation import gettext, override

DECODER_SECONDS = 24 * 3600.0
"""For how long a decoder waits for an upload: 25 MB, against a second or two that starting one takes."""

log = logging.getLogger(__name__)


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


def import_clients() -> None:
    """Import what a search would else import in the first request of each process, and share its memory."""
    if settings.QDRANT_URL:
        import_module("qdrant_client")


def start_decoder() -> None:
    """Start the process in which uploads are looked at."""
    from classifier import decoding

    try:
        decoding.shared.start(idle_seconds=DECODER_SECONDS)
    except OSError:
        # The first upload fails with the same error, where a person sees it.
        log.exception("the decoder could not be started beforehand")
