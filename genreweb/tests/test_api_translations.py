"""The description of the API in Korean: complete, compiled, and what its readers get."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import polib
import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import translation
from pytest_django import Settings

from genreweb import api_translations
from genreweb.embedded.paths import REPOSITORY

CATALOGUE = REPOSITORY / "locale/ko/LC_MESSAGES/api.po"
KOREAN = {"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.5"}
_HANGUL = re.compile("[가-힣]")
_CODE = re.compile(r"`[^`]+`|https?://[^\s)]+")


@pytest.fixture(autouse=True)
def _surroundings(settings: Settings) -> None:
    settings.STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    cache.clear()


@pytest.fixture(scope="module")
def catalogue() -> list[polib.POEntry]:
    entries = list(polib.pofile(str(CATALOGUE)))
    assert len(entries) > 100
    return entries


@pytest.mark.slow
def test_every_text_of_the_api_has_its_korean(catalogue: list[polib.POEntry]) -> None:
    # A text was added, changed or taken out: run `make messages`, then translate what is new.
    assert {entry.msgid for entry in catalogue} == set(api_translations.untranslated("ko"))
    assert [entry.msgid for entry in catalogue if entry.fuzzy or not _HANGUL.search(entry.msgstr)] == []


def test_code_and_addresses_survive(catalogue: list[polib.POEntry]) -> None:
    astray = {
        entry.msgid: entry.msgstr
        for entry in catalogue
        if Counter(_CODE.findall(entry.msgid)) != Counter(_CODE.findall(entry.msgstr))
    }
    assert astray == {}


def test_what_is_compiled_is_what_was_written(catalogue: list[polib.POEntry]) -> None:
    compiled = polib.mofile(str(CATALOGUE.with_suffix(".mo")))
    assert {entry.msgid: entry.msgstr for entry in compiled} == {
        entry.msgid: entry.msgstr for entry in catalogue
    }


@pytest.mark.slow
@pytest.mark.django_db
def test_the_schema_speaks_the_readers_language(client: Client) -> None:
    def schema(**given: Any) -> dict[str, Any]:
        return dict(client.get("/api/v1/schema/?format=json", **given).json())

    english, korean = schema(), schema(headers=KOREAN)
    paths = english["paths"]["/api/v1/tracks/"]["get"], korean["paths"]["/api/v1/tracks/"]["get"]
    assert [path["summary"] for path in paths] == ["List tracks", "트랙 목록"]
    assert korean["info"]["title"] == english["info"]["title"]
    assert [tag["name"] for tag in korean["tags"]] == [tag["name"] for tag in english["tags"]]
    # Only words differ: no field that is called `description` was taken for one.
    said = [api_translations.words_of(each) for each in (english, korean)]
    assert said[0].keys() == said[1].keys()
    assert korean["components"]["schemas"]["Genre"]["properties"].keys() >= {"description", "name"}
    assert korean["paths"].keys() == english["paths"].keys()
    summaries = {text for place, text in said[1].items() if place[-1] == "summary" or place[0] == "tags"}
    assert len(summaries) > 90
    assert {text for text in summaries if not _HANGUL.search(text)} == set()
    # By the site's own choice of language, too.
    client.cookies["django_language"] = "ko"
    assert schema()["paths"]["/api/v1/tracks/"]["get"]["summary"] == "트랙 목록"


@pytest.mark.slow
@pytest.mark.django_db
def test_the_page_of_the_reference_speaks_korean(client: Client) -> None:
    page = client.get("/api/v1/docs/", headers=KOREAN).content.decode()
    assert "비슷한 트랙 목록" in page
    assert "보낸 그대로의 파일." in page
    assert "List similar tracks" not in page
    english = client.get("/api/v1/docs/").content.decode()
    assert "List similar tracks" in english
    assert "비슷한 트랙 목록" not in english


def test_paragraphs_are_looked_up_one_by_one() -> None:
    given = {
        "description": "For curators.\n\n* `mine` - Eigene\n* `all` - Alle\n\nSaid\nnowhere.",
        "properties": {"description": {"description": "In\nhertz."}, "summary": {"type": "string"}},
    }
    with translation.override("ko"):
        found = api_translations.translate_descriptions(given)
    assert found == {
        "description": "큐레이터용입니다.\n\n* `mine` - Eigene\n* `all` - Alle\n\nSaid\nnowhere.",
        "properties": {"description": {"description": "헤르츠 단위."}, "summary": {"type": "string"}},
    }
    with translation.override("en-gb"):
        assert api_translations.translate_descriptions(given) is given
    # A language without a catalogue.
    with translation.override("fr"):
        assert api_translations.translate_descriptions(given) == given
