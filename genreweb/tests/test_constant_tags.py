"""Tags whose result is kept: they say what Django's own say, whoever reads, in whichever language."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.template import Context, Template
from django.urls import NoReverseMatch, reverse, set_script_prefix
from django.utils import translation


def drawn(source: str, **context: object) -> str:
    return Template(source).render(Context(context))


def test_a_kept_translation_is_of_the_language_of_whoever_reads() -> None:
    template = Template(
        '{% load i18n %}{% translate "My tracks" %}|{% trans "My tracks" as kept %}{{ kept }}'
        "|{% translate title %}"
    )
    for language, words in (("en", "My tracks"), ("ko", "내 트랙"), ("en", "My tracks")):
        with translation.override(language):
            assert (
                template.render(Context({"title": "Upload"}))
                == f"{words}|{words}|{translation.gettext('Upload')}"
            )


def test_addresses_are_those_of_reverse() -> None:
    one, other = uuid4(), uuid4()
    template = Template("{% url 'library:track' key %}|{% url 'library:history' as kept %}{{ kept }}")
    for key in (one, other):
        want = f"{reverse('library:track', args=[key])}|{reverse('library:history')}"
        assert template.render(Context({"key": key})) == want
    # As text it is one too.
    assert template.render(Context({"key": str(one)})).startswith(reverse("library:track", args=[one]))
    set_script_prefix("/music/")
    try:
        assert template.render(Context({"key": one})) == f"/music/tracks/{one}/|/music/tracks/"
    finally:
        set_script_prefix("/")


def test_a_view_that_does_not_exist_is_an_error_or_nothing() -> None:
    assert drawn("{% url 'library:nowhere' as kept %}[{{ kept }}]") == "[]"
    assert drawn("{% url 'library:nowhere' key as kept %}[{{ kept }}]", key=uuid4()) == "[]"
    for source in (
        "{% url 'library:nowhere' %}",
        "{% url 'library:nowhere' key %}",
        "{% url 'library:home' key %}",
    ):
        with pytest.raises(NoReverseMatch):
            drawn(source, key=uuid4())


def test_a_static_file_has_its_address() -> None:
    for _twice in range(2):
        assert drawn("{% load static %}{% static 'js/site.js' %}").endswith("js/site.js")
