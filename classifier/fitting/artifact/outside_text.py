"""Figures outside the training set as text, for the model card and the text of the evaluation."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from classifier.fitting.artifact.card_text import percent

Figures = Mapping[str, Any]

_FEW: Final = 10
"""A genre with fewer tracks is not called weak: one track more or less would decide."""
_WEAK: Final = 0.6
_NOT_MEASURED: Final = (
    "This release was not measured on other music, recordings through a microphone or speech."
)

WORDS: Final[Mapping[str, str]] = {
    "modern": "Songs that are not GTZAN's, mostly commercial and after 2001, as spectrograms; nothing that "
    "ships was fitted on them. A handful of numbers (weights, temperature, thresholds of the joint verdict) "
    "were chosen on them, so music that nobody has tried yet will be somewhat harder. Labels were given by "
    "folders or artists and some 5 % are arguable; an answer that a fair listener would accept is right. "
    "Intervals are bootstrapped over artists.",
    "microphone": "Clips of GTZAN that were played over small loudspeakers and recorded in rooms with people "
    "talking; music is at or under the level of talk and noise in many of them. About half of the "
    "clips are among those that the release was fitted on, but not as recordings. Intervals are "
    "bootstrapped over clips.",
    "non-music": "Read speech that espeak-ng makes, and recorded everyday sounds. Intervals after Wilson.",
    "filtered-sound": "The clips of the test part of *filtered* that have 15 to 30 s of sound. Intervals are "
    "bootstrapped over artists.",
}


def card_section(content: Figures | None) -> str:
    """The model card's section: a table and, in words, what is weak."""
    if not content or not content["parts"]:
        return _NOT_MEASURED
    lines = [*outside_table(content["parts"]), ""]
    weak = weaknesses(content["parts"])
    if weak:
        lines += ["Where it is weak:", "", *(f"- {words}" for words in weak)]
    lines += ["", *_tagger(content)]
    return "\n".join(lines)


def evaluation_section(content: Figures | None) -> list[str]:
    """Lines of the evaluation's text; none where nothing was measured."""
    if not content or not content["parts"]:
        return []
    lines = ["", "## Outside the benchmark", "", *_tagger(content), "", *outside_table(content["parts"])]
    for name, part in content["parts"].items():
        lines += [
            "",
            f"### {name}",
            "",
            *_wrapped(f"{WORDS[name]} Measured on {part['date']}."),
            "",
        ]
        lines += _DETAILS[name](part)
    if looks := content.get("test_looks"):
        lines += ["", f"The test clips that have sound were looked at {looks} time{'s' * (looks > 1)}."]
    return lines


def weaknesses(parts: Figures) -> list[str]:
    """What to expect little of, one sentence each."""
    found = []
    if modern := parts.get("modern"):
        weak = {
            label: row
            for label, row in modern["by_genre"].items()
            if row["n"] >= _FEW and row["right"] < _WEAK
        }
        for label, row in sorted(weak.items(), key=lambda item: item[1]["right"]):
            found.append(f"Of modern {label} it names {percent(row['right'])} rightly ({row['n']} songs).")
        few = [label for label, row in modern["by_genre"].items() if row["n"] < _FEW]
        if few:
            found.append(f"Too few modern songs to tell how good it is at {', '.join(few)}.")
        if sure := modern["others"]["sure"]:
            found.append(
                f"{percent(sure['value'])} of songs of other kinds are given one of its genres for sure; "
                f"that they are none of them is said of {percent(modern['others']['none_said']['value'])}."
            )
    if microphone := parts.get("microphone"):
        found.append(
            f"Through a microphone in a loud room it names {percent(microphone['right']['value'])} rightly "
            f"and is unsure of {percent(1 - microphone['sure']['value'])}: hold the microphone near."
        )
    if non_music := parts.get("non-music"):
        for name, noun in (("speech", "read speech"), ("sounds", "everyday sounds")):
            if (row := non_music.get(name)) and row["sure"]["value"] > 0:
                found.append(
                    f"{percent(row['sure']['value'])} of {noun} ({row['n']}) is given a genre for sure."
                )
    return found


def _tagger(content: Figures) -> list[str]:
    if content["tagger"] is None:
        return ["Measured without the pre-trained tagger: the platform's own network alone."]
    words = f"Measured with the pre-trained tagger {content['tagger']}, which the joint verdict needs."
    if alone := content["parts"].get("modern", {}).get("network_alone"):
        figures = alone["genres"]
        words += (
            f" Where it is not installed the platform's own network answers alone: "
            f"{_in_words(figures['right'])} of the modern songs right, "
            f"{_in_words(figures['right_when_sure'])} when sure."
        )
    return _wrapped(words)


def outside_table(parts: Figures) -> list[str]:
    """The figures of all protocols in one table."""
    lines = [
        "| what was tried | right | sure | right when sure | measured on |",
        "| --- | --- | --- | --- | --- |",
    ]
    if modern := parts.get("modern"):
        genres, others = modern["genres"], modern["others"]
        lines += [
            _row("Modern songs of its genres", genres, f"{genres['n']} songs, {genres['groups']} artists"),
            _row(
                "Songs of other kinds",
                others,
                f"{others['n']} songs, {others['groups']} artists",
                right=False,
            ),
        ]
    if microphone := parts.get("microphone"):
        extent = f"{microphone['recordings']} recordings of {microphone['clips']} clips"
        lines += [
            _row("Through a microphone", microphone, extent),
            _row("The same clips as they are", microphone["clean"], extent),
        ]
    for name, title in (("speech", "Read speech"), ("sounds", "Everyday sounds")):
        if row := parts.get("non-music", {}).get(name):
            lines.append(_row(title, row, f"{row['n']} files", right=False))
    if held_out := parts.get("filtered-sound"):
        extent = f"{held_out['clips']} clips"
        lines += [
            _row("GTZAN's test clips with sound", held_out["joined"], extent),
            _row("The same, own network alone", held_out["network_alone"], extent),
        ]
    return lines


def _row(title: str, row: Figures, extent: str, *, right: bool = True) -> str:
    cells = [_interval(row["right"]) if right else "–", _interval(row["sure"])]
    cells.append(_interval(row["right_when_sure"]) if right else "–")
    return f"| {title} | {' | '.join(cells)} | {extent} |"


def _modern(part: Figures) -> list[str]:
    without, genres = part["without_each_artist"], part["genres"]
    lines = [
        f"Strictly by the first label: {_interval(genres['strictly_right'])} right, "
        f"{_interval(genres['strictly_right_when_sure'])} when sure.",
        "With each artist left out in turn: "
        + ", ".join(
            f"{words} {percent(span[0])} to {percent(span[1])}"
            for key, words in (
                ("right", "right"),
                ("right_when_sure", "right when sure"),
                ("others_sure", "other kinds answered for sure"),
            )
            if (span := without[key])
        )
        + ".",
        f"\u201cNone of the ten\u201d was said of "
        f"{_interval(part['others']['none_said'])} of the other kinds, "
        f"and of {_interval(genres['none_said'])} of the songs of its genres.",
    ]
    wrapped = [line for text in lines for line in _wrapped(text)]
    return [*wrapped, "", *_genres(part["by_genre"]), "", *_others(part["by_style"])]


def _microphone(part: Figures) -> list[str]:
    words = (
        f"The answer is that for the clip itself in {_interval(part['as_clean'])}, that or unsure in "
        f"{_interval(part['as_clean_or_unsure'])}; no music was found in {_interval(part['no_music'])}."
    )
    return [*_wrapped(words), "", *_genres(part["by_genre"])]


def _non_music(part: Figures) -> list[str]:
    lines = [
        "| sounds | files | a genre for sure | no music found | which genres |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, title in (("speech", "Read speech"), ("sounds", "Everyday sounds")):
        if row := part.get(name):
            named = ", ".join(f"{label} {count}" for label, count in row["sure_of"].items()) or "–"
            lines.append(
                f"| {title} | {row['n']} | {_interval(row['sure'])} | {_interval(row['no_music'])} "
                f"| {named} |"
            )
    return lines


def _held_out(part: Figures) -> list[str]:
    rows = (
        ("Joint verdict", "joined"),
        ("Own network alone", "network_alone"),
        ("Head on the tagger alone", "head_alone"),
        ("Tags alone", "tags_alone"),
    )
    lines = ["| by | right |", "| --- | --- |"]
    lines += [f"| {title} | {_interval(part[key]['right'])} |" for title, key in rows]
    found = ", ".join(
        f"{label} {percent(row['right'])} of {row['n']}" for label, row in part["by_genre"].items()
    )
    return [*lines, "", *_wrapped(f"Joint verdict by genre: {found}.")]


_DETAILS: Final = {
    "modern": _modern,
    "microphone": _microphone,
    "non-music": _non_music,
    "filtered-sound": _held_out,
}


def _genres(rows: Mapping[str, Figures]) -> list[str]:
    lines = ["| genre | tracks | right | sure | right when sure |", "| --- | --- | --- | --- | --- |"]
    for label, row in rows.items():
        shares = " | ".join(percent(row[key]) for key in ("right", "sure", "right_when_sure"))
        lines.append(f"| {label} | {row['n']} | {shares} |")
    return lines


def _others(rows: Mapping[str, Figures]) -> Sequence[str]:
    lines = [
        "| other kind | songs | one of its genres for sure | none of the ten |",
        "| --- | --- | --- | --- |",
    ]
    for label, row in rows.items():
        lines.append(f"| {label} | {row['n']} | {percent(row['sure'])} | {percent(row['none_said'])} |")
    return lines


def _interval(figure: Mapping[str, float] | None) -> str:
    if figure is None:
        return "–"
    return f"{percent(figure['value'])} ({100 * figure['low']:.1f} to {100 * figure['high']:.1f})"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 118)


def _in_words(figure: Mapping[str, float] | None) -> str:
    return "none" if figure is None else percent(figure["value"])
