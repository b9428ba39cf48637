"""Figures of a version on other music and sounds than it was fitted on, prepared for pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext, ngettext

from classifier.models import ModelVersion
from classifier.quality import tables
from classifier.quality.methods import Goal

Figure = Mapping[str, Any]

LEAST: Final = {
    "modern": {"right": 0.70, "right_when_sure": 0.87, "sure": 0.45},
    "microphone": {"right": 0.40, "right_when_sure": 0.75},
    "filtered-sound": {"right": 0.91},
}
MOST_OTHERS_SURE: Final = 0.15
MOST_NON_MUSIC_SURE: Final = 0.05

_FEW: Final = 10
"""Of fewer tracks no share is compared with a goal: one more or less would decide."""
_WEAK: Final = 0.6


@dataclass(frozen=True, slots=True)
class Cell:
    """A share and its 95 % interval, in percent; `few` is the number it is of, where that is too small."""

    value: float
    low: float
    high: float
    few: int | None


@dataclass(frozen=True, slots=True)
class Row:
    """What was tried: the shares that are right, sure, and right when sure; None where they mean nothing.

    Attributes
    ----------
    compared
        True for what is there to compare with.
    """

    title: str
    remark: str
    cells: tuple[Cell | None, Cell | None, Cell | None]
    extent: str
    compared: bool = False


@dataclass(frozen=True, slots=True)
class Outside:
    """The rows, what is weak in sentences, and the project's goals."""

    rows: list[Row]
    weak: list[str]
    goals: list[Goal]


def outside_of(version: ModelVersion, names: Mapping[str, str]) -> Outside | None:
    """Read the figures among the files of a version; None where it has none.

    Parameters
    ----------
    names
        Of the genres, by label.
    """
    content = tables.outside_of(version)
    if content is None:
        return None
    parts = content["parts"]
    rows = [*_modern_rows(parts), *_microphone_rows(parts), *_non_music_rows(parts), *_held_out_rows(parts)]
    return Outside(rows=rows, weak=_weak(parts, names), goals=_goals(parts)) if rows else None


def _modern_rows(parts: Figure) -> list[Row]:
    if "modern" not in parts:
        return []
    genres, others = parts["modern"]["genres"], parts["modern"]["others"]
    rows = [_row(gettext("Newer songs of its genres"), genres, _songs(genres))]
    if alone := parts["modern"].get("network_alone"):
        title = gettext("The same, without the pre-trained tagger")
        rows.append(_row(title, alone["genres"], _songs(genres), compared=True))
    remark = ""
    if others["none_said"]:
        remark = gettext("“None of the ten” was said of %(share)s") % {"share": _percent(others["none_said"])}
    return [*rows, _row(gettext("Songs of other kinds"), others, _songs(others), remark=remark, right=False)]


def _microphone_rows(parts: Figure) -> list[Row]:
    if "microphone" not in parts:
        return []
    part = parts["microphone"]
    extent = gettext("%(recordings)d recordings of %(clips)d clips") % {
        "recordings": part["recordings"],
        "clips": part["clips"],
    }
    return [_row(gettext("Through a microphone in a loud room"), part, extent)]


def _non_music_rows(parts: Figure) -> list[Row]:
    titles = {"speech": gettext("Speech"), "sounds": gettext("Everyday sounds")}
    rows = []
    for name, title in titles.items():
        if row := parts.get("non-music", {}).get(name):
            remark = gettext("“No music” was said of %(share)s") % {"share": _percent(row["no_music"])}
            extent = ngettext("%(n)d sound", "%(n)d sounds", row["n"]) % {"n": row["n"]}
            rows.append(_row(title, row, extent, remark=remark, right=False))
    return rows


def _held_out_rows(parts: Figure) -> list[Row]:
    if "filtered-sound" not in parts:
        return []
    part = parts["filtered-sound"]
    n = part["joined"]["n"]
    extent = ngettext("%(n)d clip", "%(n)d clips", n) % {"n": n}
    title = gettext("Clips of the collection that it never heard, from their sound")
    alone = gettext("The same, without the pre-trained tagger")
    return [_row(title, part["joined"], extent), _row(alone, part["network_alone"], extent, compared=True)]


def _row(
    title: str, row: Figure, extent: str, *, remark: str = "", right: bool = True, compared: bool = False
) -> Row:
    keys = ("right", "sure", "right_when_sure")
    cells = [_cell(row[key]) if right or key == "sure" else None for key in keys]
    return Row(title, remark, (cells[0], cells[1], cells[2]), extent, compared)


def _cell(figure: Figure | None) -> Cell | None:
    if figure is None:
        return None
    value, low, high = (100 * figure[key] for key in ("value", "low", "high"))
    return Cell(value, low, high, few=figure["n"] if figure["n"] < _FEW else None)


def _songs(row: Figure) -> str:
    return gettext("%(songs)d songs by %(artists)d artists") % {"songs": row["n"], "artists": row["groups"]}


def _weak(parts: Figure, names: Mapping[str, str]) -> list[str]:
    """What to expect little of, a sentence each."""
    found = []
    if modern := parts.get("modern"):
        known = {label: row for label, row in modern["by_genre"].items() if label in names}
        for label, row in sorted(known.items(), key=lambda item: item[1]["right"]):
            if row["n"] >= _FEW and row["right"] < _WEAK:
                found.append(
                    gettext("Of newer %(genre)s it names %(share)s rightly.")
                    % {"genre": names[label], "share": _percent({"value": row["right"]})}
                )
        few = [names[label] for label in names if known.get(label, {"n": 0})["n"] < _FEW]
        if few:
            found.append(
                gettext("Too few newer songs were tried to tell how good it is there: %(genres)s.")
                % {"genres": ", ".join(few)}
            )
        if (sure := modern["others"]["sure"]) and sure["value"] > 0:
            found.append(
                gettext("Of songs of other kinds, %(share)s are given one of its genres without a doubt.")
                % {"share": _percent(sure)}
            )
    if (microphone := parts.get("microphone")) and microphone["right"]:
        found.append(
            gettext(
                "Through a microphone, with people talking and the music no louder than they are, it names "
                "%(share)s rightly. Hold the microphone near."
            )
            % {"share": _percent(microphone["right"])}
        )
    for name, words in (
        ("speech", gettext("Of speech, %(share)s is given a genre without a doubt.")),
        ("sounds", gettext("Of everyday sounds, %(share)s are given a genre without a doubt.")),
    ):
        row = parts.get("non-music", {}).get(name)
        if row and row["sure"]["value"] > 0:
            found.append(words % {"share": _percent(row["sure"])})
    return found


def _goals(parts: Figure) -> list[Goal]:
    goals = []
    if modern := parts.get("modern"):
        genres, least = modern["genres"], LEAST["modern"]
        goals += [
            _least(gettext("Newer songs: at least %(bar)d %% right"), genres["right"], least["right"]),
            _least(
                gettext("Newer songs: at least %(bar)d %% right when sure"),
                genres["right_when_sure"],
                least["right_when_sure"],
            ),
            _least(gettext("Newer songs: sure of at least %(bar)d %%"), genres["sure"], least["sure"]),
            _most(
                gettext("Songs of other kinds: at most %(bar)d %% named for sure"),
                modern["others"]["sure"],
                MOST_OTHERS_SURE,
            ),
        ]
    if microphone := parts.get("microphone"):
        least = LEAST["microphone"]
        goals += [
            _least(gettext("Microphone: at least %(bar)d %% right"), microphone["right"], least["right"]),
            _least(
                gettext("Microphone: at least %(bar)d %% right when sure"),
                microphone["right_when_sure"],
                least["right_when_sure"],
            ),
        ]
    non_music = parts.get("non-music", {})
    for name, words in (
        ("speech", gettext("Speech: at most %(bar)d %% named for sure")),
        ("sounds", gettext("Everyday sounds: at most %(bar)d %% named for sure")),
    ):
        if row := non_music.get(name):
            goals.append(_most(words, row["sure"] | {"n": row["n"]}, MOST_NON_MUSIC_SURE))
    if held_out := parts.get("filtered-sound"):
        words = gettext("Clips that it never heard, from their sound: at least %(bar)d %% right")
        goals.append(_least(words, held_out["joined"]["right"], LEAST["filtered-sound"]["right"]))
    return goals


def _least(words: str, figure: Figure | None, bar: float) -> Goal:
    return _goal(words, figure, bar, reached=figure is not None and figure["value"] >= bar)


def _most(words: str, figure: Figure | None, bar: float) -> Goal:
    return _goal(words, figure, bar, reached=figure is not None and figure["value"] <= bar)


def _goal(words: str, figure: Figure | None, bar: float, *, reached: bool) -> Goal:
    words = words % {"bar": round(100 * bar)}
    if figure is None:
        return Goal(words, None, gettext("it was never sure"))
    if figure["n"] < _FEW:
        remark = gettext("%(figure)s of %(n)d: too few to tell")
        return Goal(words, None, remark % {"figure": _percent(figure), "n": figure["n"]})
    remark = gettext("%(figure)s of %(n)d, 95 %% interval %(low).1f to %(high).1f") % {
        "figure": _percent(figure),
        "n": figure["n"],
        "low": 100 * figure["low"],
        "high": 100 * figure["high"],
    }
    return Goal(words, reached, remark)


def _percent(figure: Figure) -> str:
    return f"{100 * figure['value']:.1f}\u202f%"
