"""The Korean: complete, compiled, and what pages and the API answer whoever reads it.

Nothing here needs the gettext tools; ``make messages`` does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polib
import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation.template import templatize
from pytest_django import Settings

from classifier.genres import SHIPPED_GENRES
from classifier.models import Genre
from genreweb.accounts.models import User
from genreweb.embedded.paths import REPOSITORY
from library.errors import sentence

CATALOGUE = REPOSITORY / "locale/ko/LC_MESSAGES/django.po"
KOREAN = {"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.5"}

_PACKAGES = ("genreweb", "classifier", "library", "training")
_PLACEHOLDER = re.compile(r"%%?\(\w+\)[sd]|%%|%[sd]|\{\w*(?::\w+)?\}|</?\w+[^>]*>")
_HANGUL = re.compile("[가-힣]")
# Names and abbreviations that Korean writes as English does.
_SAME = {"API", "Genreweb", "Genreweb, %(domain)s", "MFCC", "%(rate)s Hz"}
_MARKS = {
    *("_", "gettext", "gettext_lazy", "gettext_noop"),
    *("ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy", "npgettext", "npgettext_lazy"),
}
_IN_TEMPLATE = re.compile(r"""\b(?:_|n?gettext)\(\s*u?((?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))""")


@pytest.fixture(scope="module")
def catalogue() -> list[polib.POEntry]:
    entries = list(polib.pofile(str(CATALOGUE)))
    assert len(entries) > 100
    return entries


def korean_of(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def test_every_sentence_has_its_korean(catalogue: list[polib.POEntry]) -> None:
    assert [entry.msgid for entry in catalogue if entry.obsolete or entry.fuzzy] == []
    bare = [entry.msgid for entry in catalogue if not all(text.strip() for text in korean_of(entry))]
    assert bare == []
    # Korean has no plural forms.
    assert {len(korean_of(entry)) for entry in catalogue} == {1}
    worded = (entry for entry in catalogue if re.search("[A-Za-z]", _PLACEHOLDER.sub("", entry.msgid)))
    english = {entry.msgid for entry in worded if not _HANGUL.search(korean_of(entry)[0])}
    assert english <= _SAME


def test_placeholders_and_tags_survive(catalogue: list[polib.POEntry]) -> None:
    astray = {
        entry.msgid: korean
        for entry in catalogue
        for korean in korean_of(entry)
        if sorted(_PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
        != sorted(_PLACEHOLDER.findall(korean))
    }
    assert astray == {}


def marked_in(path: Path) -> Iterator[str]:
    """Give what a module or a template marks for translation."""
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                texts = node.args[1:] if name.startswith(("pgettext", "npgettext")) else node.args
                if name in _MARKS and isinstance(texts[0], ast.Constant):
                    yield str(texts[0].value)
    else:
        for found in _IN_TEMPLATE.findall(templatize(path.read_text(), origin=str(path))):
            yield ast.literal_eval(found)


@pytest.mark.slow
def test_the_catalogue_holds_what_the_code_says(catalogue: list[polib.POEntry]) -> None:
    files = [path for package in _PACKAGES for path in (REPOSITORY / package).rglob("*.py")]
    files += [path for path in (REPOSITORY / "templates").rglob("*") if path.suffix in {".html", ".txt"}]
    marked = {text for path in files if "tests" not in path.parts for text in marked_in(path)}
    assert len(marked) > 100
    # A sentence was added, changed or taken out: run `make messages`, then translate what is new.
    assert marked == {entry.msgid for entry in catalogue}


def test_what_is_compiled_is_what_was_written(catalogue: list[polib.POEntry]) -> None:
    compiled = polib.mofile(str(CATALOGUE.with_suffix(".mo")))
    assert {(entry.msgid, entry.msgid_plural): korean_of(entry) for entry in compiled} == {
        (entry.msgid, entry.msgid_plural): korean_of(entry) for entry in catalogue
    }


# --- what people see -------------------------------------------------------------------------------------
@pytest.fixture(autouse=True)
def _surroundings(settings: Settings) -> None:
    settings.STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    cache.clear()


@pytest.fixture
def genres(db: None) -> None:
    Genre.objects.bulk_create(
        Genre(
            slug=genre.slug,
            name=genre.name,
            description=genre.description,
            colour=genre.colour,
            position=position,
        )
        for position, genre in enumerate(SHIPPED_GENRES)
    )


@pytest.mark.usefixtures("genres")
def test_the_landing_page_speaks_korean(client: Client) -> None:
    page = client.get("/", headers=KOREAN)
    assert page["Content-Language"] == "ko"
    html = page.content.decode()
    assert '<html lang="ko">' in html
    assert "무슨 장르인지 알아보고, 소리를 눈으로 보세요." in html
    for name in ("블루스", "클래식", "컨트리", "디스코", "힙합", "재즈", "메탈", "팝", "레게", "록"):
        assert f"<h3>{name}</h3>" in html
    assert "Hear what genre it is" not in html
    assert '<html lang="en">' in client.get("/").content.decode()


@pytest.mark.django_db
def test_signing_in_speaks_korean(client: Client) -> None:
    html = client.get(reverse("account_login"), headers=KOREAN).content.decode()
    for words in ("로그인", "이메일", "비밀번호", "처음이신가요?"):
        assert words in html
    refused = client.post(reverse("account_login"), {"login": "", "password": ""}, headers=KOREAN)
    assert "필수 항목" in refused.content.decode()


@pytest.mark.usefixtures("genres")
def test_the_language_that_was_chosen_stays(client: Client) -> None:
    answer = client.post(reverse("set_language"), {"language": "ko", "next": "/"})
    assert answer["Location"] == "/"
    # The choice outweighs what the browser prefers.
    korean = client.get("/", headers={"Accept-Language": "en"}).content.decode()
    assert '<html lang="ko">' in korean
    assert "계정 만들기" in korean
    client.post(reverse("set_language"), {"language": "en", "next": "/"})
    assert '<html lang="en">' in client.get("/", headers=KOREAN).content.decode()


@pytest.mark.django_db
def test_an_upload_is_refused_in_korean(client: Client) -> None:
    client.force_login(User.objects.create_user("hana@example.org"))
    refused = client.post(
        "/api/v1/tracks/", {"file": SimpleUploadedFile("빈 파일.wav", b"")}, headers=KOREAN
    ).json()
    assert refused["error"]["code"] == "empty"
    assert _HANGUL.search(refused["error"]["message"])
    with translation.override("ko"):
        assert sentence("too_short", {"minimum": 1}) == "녹음이 너무 짧습니다. 소리가 1초 이상 있어야 합니다."


def test_dates_are_written_as_koreans_write_them() -> None:
    afternoon = datetime(2026, 11, 20, 15, 19, tzinfo=UTC)
    with translation.override("ko"):
        assert date_format(afternoon, "DATETIME_FORMAT") == "2026년 11월 20일 오후 3:19"
        assert date_format(afternoon, "DATE_FORMAT") == "2026년 11월 20일"


def test_the_page_of_a_broken_site_speaks_korean() -> None:
    with translation.override("ko"):
        html = render_to_string("500.html")
    assert "문제가 발생했습니다" in html
    assert "Something went wrong" not in html
