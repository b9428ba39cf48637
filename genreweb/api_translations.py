"""The words of the API's description in the reader's language, from a catalogue of their own.

    python -m genreweb.api_translations    brings locale/ko/LC_MESSAGES/api.po up to date (`make messages`)

Summaries, docstrings and help texts of the API are plain English where they stand: a docstring cannot be
marked for translation. So they are looked up when the schema is made, paragraph by paragraph, in a catalogue
`api` beside Django's own. What comes translated already, such as names of choices, is left as it is.
"""

from __future__ import annotations

import gettext
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.utils.translation import get_language, override, to_locale

DOMAIN: Final = "api"
SOURCE: Final = "en"
_HOOK: Final = "genreweb.api_translations.translate_descriptions"
_WORDS: Final = ("summary", "description")
_NAMES: Final = ("properties", "schemas", "parameters", "responses", "headers", "x-webhooks")
"""Parts of a schema whose keys are names that people chose, and no words of the schema itself."""
_CHOICES: Final = "* `"
"""How drf-spectacular begins a list of choices, whose names are translated where they are defined."""
_PARAGRAPHS = re.compile(r"\n\s*\n")

Schema = dict[str, Any]
Place = tuple[str | int, ...]


def translate_descriptions(result: Schema, **_given: object) -> Schema:
    """Put the words of a schema into the active language, as a postprocessing hook of drf-spectacular."""
    language = get_language() or SOURCE
    if language.partition("-")[0] == SOURCE:
        return result
    catalogue = _catalogue(to_locale(language))
    translated: Schema = _changed(result, lambda text: _translated(text, catalogue))
    return translated


def paragraphs(text: str) -> Iterator[str]:
    """Split a text as it is looked up: each paragraph on one line."""
    for part in _PARAGRAPHS.split(text):
        if words := " ".join(part.split()):
            yield words


def words_of(schema: Schema) -> dict[Place, str]:
    """Give every summary and description of a schema by its place."""
    found: dict[Place, str] = {}
    _walk(schema, (), found)
    return found


def untranslated(language: str) -> list[str]:
    """Give the paragraphs that the catalogue must hold: those that are English to a reader of `language`."""
    english, theirs = (words_of(_schema(each, translated=False)) for each in (SOURCE, language))
    texts = {
        part: None
        for place, text in english.items()
        for part in paragraphs(text)
        if part in set(paragraphs(theirs.get(place, text))) and not part.startswith(_CHOICES)
    }
    return list(texts)


def _walk(node: object, place: Place, found: dict[Place, str]) -> None:
    if isinstance(node, dict):
        named = bool(place) and place[-1] in _NAMES
        for key, value in node.items():
            if not named and key in _WORDS and isinstance(value, str):
                found[*place, key] = value
            else:
                _walk(value, (*place, key), found)
    elif isinstance(node, list):
        for number, value in enumerate(node):
            _walk(value, (*place, number), found)


def _changed(node: Any, change: Callable[[str], str], *, named: bool = False) -> Any:
    if isinstance(node, dict):
        return {
            key: change(value)
            if not named and key in _WORDS and isinstance(value, str)
            else _changed(value, change, named=not named and key in _NAMES)
            for key, value in node.items()
        }
    return [_changed(value, change) for value in node] if isinstance(node, list) else node


def _translated(text: str, catalogue: gettext.NullTranslations) -> str:
    # Lists of choices and the like are left with the lines that they have.
    parts = (part for part in _PARAGRAPHS.split(text) if part.strip())
    return "\n\n".join(_looked_up(part, catalogue) for part in parts)


def _looked_up(part: str, catalogue: gettext.NullTranslations) -> str:
    key = " ".join(part.split())
    found = catalogue.gettext(key)
    return part if found == key else found


@cache
def _catalogue(locale: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, settings.LOCALE_PATHS[0], [locale], fallback=True)


def _schema(language: str, *, translated: bool) -> Schema:
    from drf_spectacular.generators import SchemaGenerator  # after Django's set-up
    from drf_spectacular.settings import patched_settings

    hooks = [
        hook for hook in settings.SPECTACULAR_SETTINGS["POSTPROCESSING_HOOKS"] if translated or hook != _HOOK
    ]
    with patched_settings({"POSTPROCESSING_HOOKS": hooks}), override(language):
        generator = SchemaGenerator()  # type: ignore[no-untyped-call]
        return dict(generator.get_schema(request=None, public=True))  # type: ignore[no-untyped-call]


def main() -> None:
    """Add what is new to the catalogues with nothing beside it, and take out what is gone."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "genreweb.settings")
    import django  # after the environment is set
    import polib  # of the tests' requirements, as gettext is

    django.setup()
    for language in (code for code, _name in settings.LANGUAGES if code != SOURCE):
        path = Path(settings.LOCALE_PATHS[0]) / to_locale(language) / "LC_MESSAGES" / f"{DOMAIN}.po"
        former = {entry.msgid: entry.msgstr for entry in polib.pofile(str(path))} if path.exists() else {}
        catalogue = polib.POFile(wrapwidth=100)
        catalogue.metadata = {
            "Language": to_locale(language),
            "MIME-Version": "1.0",
            "Content-Type": "text/plain; charset=UTF-8",
            "Content-Transfer-Encoding": "8bit",
            "Plural-Forms": "nplurals=1; plural=0;",
        }
        for text in untranslated(language):
            catalogue.append(polib.POEntry(msgid=text, msgstr=former.get(text, "")))
        catalogue.save(str(path))
        left = sum(not entry.msgstr for entry in catalogue)
        print(f"{path.name} ({language}): {len(catalogue)} texts, {left} without a translation")


if __name__ == "__main__":
    main()
