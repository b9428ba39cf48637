"""What a genre is called in the languages of the site beside its own: fields of forms, and what they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import get_language_info, gettext_lazy

from genreweb.shown_text import one_line

NAME_LENGTH = 60
DESCRIPTION_LENGTH = 1000

Translations = dict[str, dict[str, str]]
"""``name`` and ``description`` by language code; what is empty is left out."""


def other_languages() -> list[str]:
    """Return the codes of the languages that readers can choose, but for the site's own."""
    return [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def translation_fields() -> dict[str, forms.Field]:
    """Make the optional fields ``name_ko``, ``description_ko`` and so on."""
    fields: dict[str, forms.Field] = {}
    for code in other_languages():
        language = {"language": get_language_info(code)["name_translated"]}
        name = forms.CharField(
            label=gettext_lazy("Name in %(language)s") % language, max_length=NAME_LENGTH, required=False
        )
        description = forms.CharField(
            label=gettext_lazy("Description in %(language)s") % language,
            max_length=DESCRIPTION_LENGTH,
            required=False,
            widget=forms.Textarea(attrs={"rows": 4}),
        )
        for field in (name, description):
            field.widget.attrs["lang"] = code
        fields |= {f"name_{code}": name, f"description_{code}": description}
    return fields


def given_translations(values: Mapping[str, Any]) -> Translations:
    """Read the fields of `translation_fields`."""
    return cleaned(
        {
            code: {part: values.get(f"{part}_{code}") or "" for part in ("name", "description")}
            for code in other_languages()
        }
    )


def cleaned(translations: Mapping[str, Mapping[str, str]]) -> Translations:
    """Keep what is not empty, at its greatest length, in languages that readers can choose."""
    found: Translations = {}
    for code in other_languages():
        words = translations.get(code, {})
        name = one_line(words.get("name", ""))[:NAME_LENGTH].strip()
        description = words.get("description", "").strip()[:DESCRIPTION_LENGTH]
        kept = {key: text for key, text in (("name", name), ("description", description)) if text}
        if kept:
            found[code] = kept
    return found
