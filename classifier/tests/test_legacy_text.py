"""Names from before UTF-8 are read as they were meant, and right ones are left alone."""

from __future__ import annotations

import os

import pytest

from classifier.core.legacy_text import (
    guess,
    guess_escaped,
    guess_zip_names,
    repair,
    repair_together,
    storable,
)

NAMES = [
    ("cp949", "소녀시대 - 다시 만난 세계.mp3"),
    ("cp949", "봄날"),
    ("cp932", "01 津軽海峡・冬景色.mp3"),
    ("cp932", "さくら"),
    ("cp932", "東京"),
    ("cp1251", "01 Кино - Группа крови.mp3"),
    ("cp1251", "ЗВЕЗДА"),
    ("cp1252", "Édith Piaf - Non, je ne regrette rien.mp3"),
    ("cp1252", "Größe"),
    ("cp1252", "Sigur Rós – Ágætis byrjun"),
    ("utf-8", "Größe 봄날 さくら"),
]


@pytest.mark.parametrize(("encoding", "name"), NAMES)
def test_names_are_guessed(encoding: str, name: str) -> None:
    raw = name.encode(encoding)
    assert guess(raw) == name
    assert guess_escaped(raw.decode("utf-8", "surrogateescape")) == name


def test_no_bytes_are_refused() -> None:
    for raw in (bytes(range(256)), b"\x81", b"\xff\xfe\x00", "Zoë\udcff".encode("utf-8", "surrogateescape")):
        guess(raw).encode()


def test_a_stored_name_is_the_same_in_every_run_and_another_for_other_bytes() -> None:
    names = [os.fsdecode(raw) for raw in (b"\xba\xbd.mp3", b"\xba\xbe.mp3", "봄.mp3".encode())]
    stored = [storable(name) for name in names]
    assert stored == ["\\xba\\xbd.mp3", "\\xba\\xbe.mp3", "봄.mp3"]
    for text in stored:
        text.encode()


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp949", "봄날"),
        ("cp932", "ドラえもん"),
        ("cp1251", "Группа крови"),
        ("utf-8", "Größe"),
        ("utf-8", "봄날"),
    ],
)
def test_text_that_was_read_as_latin_1_is_repaired(encoding: str, text: str) -> None:
    assert repair(text.encode(encoding).decode("latin-1")) == text


@pytest.mark.parametrize(
    "text",
    [
        *("plain", "Größe", "Ágætis byrjun", "Señorita", "Ünïcödé", "ÆØÅ", "Äö", "¡Olé!", "½° ©®", "Þórr"),
        *("봄날", "Сплин", "naïveté – 東京", ""),
    ],
)
def test_right_text_stays(text: str) -> None:
    assert repair(text) == text


@pytest.mark.parametrize("encoding", ["cp949", "cp932", "cp1251"])
@pytest.mark.parametrize("as_read", ["latin-1", "escaped"])
def test_a_short_name_is_read_as_the_other_tags_of_its_file(encoding: str, as_read: str) -> None:
    texts = {
        "cp949": ["아이유", "좋은 날 (Inst.)", "Real", "룰라"],
        "cp932": ["嵐", "夏の終わりのハーモニー", "Best", "Ｂ'ｚ"],
        "cp1251": ["Ё", "Группа крови", "Live", "Би-2"],
    }[encoding]
    raws = [text.encode(encoding) for text in texts]
    read = [
        raw.decode("latin-1") if as_read == "latin-1" else raw.decode("utf-8", "surrogateescape")
        for raw in raws
    ]
    assert repair_together(read) == texts


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp949", ["봄날의 곰.mp3", "아이유.mp3", "plain.mp3"]),
        ("cp932", ["ソナタ/さくら.mp3", "嵐.mp3"]),
        ("cp866", ["Кино/Группа крови.mp3"]),
        ("cp437", ["Mötley Crüe/Zoë.mp3"]),
        ("cp850", ["Øystein/Mädchen São.mp3"]),
        ("utf-8", ["봄날.mp3", "Größe.mp3"]),
    ],
)
def test_names_of_an_archive(encoding: str, names: list[str]) -> None:
    assert guess_zip_names([name.encode(encoding) for name in names]) == names


def test_names_of_an_archive_that_are_nothing() -> None:
    assert guess_zip_names([]) == []
    assert len(guess_zip_names([bytes(range(128, 256)), b"\xff"])) == 2


def test_a_right_text_stays_beside_those_that_are_repaired() -> None:
    read = ["다시 만난 세계".encode("cp949").decode("latin-1"), "Größe", "봄날", "Café"]
    assert repair_together(read) == ["다시 만난 세계", "Größe", "봄날", "Café"]
    assert repair_together(["Größe", "Señorita", "Þórr"]) == ["Größe", "Señorita", "Þórr"]


def test_a_field_that_ends_within_a_character_is_read_up_to_there() -> None:
    field = ("가" * 15).encode("cp949")[:29]
    assert guess(b"a" + field) == "a" + "가" * 14
