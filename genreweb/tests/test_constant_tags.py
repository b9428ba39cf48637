"""Tags whose result is kept: they say what Django's own say, whoever reads, in whichever language."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.template import Context, Template, TemplateSyntaxError
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse, set_script_prefix
from django.utils import translation

from genreweb.filled_parts import filled


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


def test_an_address_of_several_keys_is_that_of_reverse() -> None:
    template = Template("{% url 'library:thumb' one other %}")
    for keys in ((uuid4(), uuid4()), (uuid4(), uuid4())):
        text = template.render(Context({"one": keys[0], "other": keys[1]}))
        assert text == reverse("library:thumb", args=keys)


def test_a_part_that_was_drawn_before_is_filled_in_as_if_it_were_drawn_now() -> None:
    name = "library/playlists/thumbs.html"
    for language in ("en", "ko", "en"):
        for thumb in (0, 1, 0):
            given = {
                "query": uuid4(),
                "neighbour": uuid4(),
                "csrf_token": '<"&token',
                "thumb": thumb,
                "lens": "mood",
            }
            slots = {key: given[key] for key in ("query", "neighbour", "csrf_token")}
            with translation.override(language):
                filled_in = filled(name, slots, {"thumb": thumb, "lens": "mood"})
                assert filled_in == render_to_string(name, given)
                assert "&lt;&quot;&amp;token" in filled_in


def test_a_part_sees_what_is_named_and_shows_texts_escaped() -> None:
    template = Template(
        '{% part "includes/queue_button.html" slots key=key title=title %}'
        '{% part "includes/language.html" slots next=title csrf_token=secret %}'
    )
    key, hostile = uuid4(), "<b>Slot7c1f0a9e0E"
    for secret in ("one", "other"):
        text = template.render(Context({"key": key, "title": hostile, "secret": secret}))
        assert f'data-enqueue="{key}"' in text
        assert text.count("&lt;b&gt;Slot7c1f0a9e0E") == 2
        assert f'value="{secret}"' in text
    for source in ("{% part name %}", '{% part "x.html" 3 %}', '{% part "x.html" slots title %}'):
        with pytest.raises(TemplateSyntaxError):
            Template(source)


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
