"""What imports have in common: what they found, whether a file changed, and their report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeVar

from classifier.core.legacy_text import guess_escaped
from library.services.genres import UNKNOWN_GENRE

Outcome = Literal["added", "changed", "same", "refused"]
OUTCOMES: tuple[Outcome, ...] = ("added", "changed", "same", "refused")
SOME_REFUSED = 3
"""Exit status of an import that left something out."""

E = TypeVar("E")
_CHUNK = 1 << 20
_MOST_WORDS = 20


@dataclass(frozen=True, slots=True)
class Listing(Generic[E]):
    """What a folder or a table holds.

    Attributes
    ----------
    unknown_columns : list of str
        The columns of the table that are not read.
    """

    entries: list[E]
    unknown_columns: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.entries)


@dataclass(slots=True)
class Report:
    """The outcome of an import.

    Attributes
    ----------
    counts : dict of str to int
        Files by outcome.
    refused : list of (str, str)
        What was left out, and why.
    failed : list of (str, str)
        What was taken but did not pass its analysis or its checks, and why.
    unknown_genres : dict of str to (int, str)
        Words that mean no genre here: on how many files, and why.
    """

    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    refused: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    unknown_genres: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def left_out(self) -> int:
        """Number of files that are not there now."""
        return self.counts["refused"] + len(self.failed)

    def count(self, outcome: Outcome) -> Outcome:
        self.counts[outcome] += 1
        return outcome

    def refuse(self, what: Path | str, reason: str) -> Outcome:
        self.refused.append((shown(what), reason))
        return self.count("refused")

    def miss_genre(self, word: str, reason: str) -> None:
        count, _reason = self.unknown_genres.get(word, (0, reason))
        self.unknown_genres[word] = (count + 1, reason)

    def table(self) -> Iterator[str]:
        """Yield the lines of the table that an import ends with."""
        rows = [(str(outcome), str(self.counts[outcome])) for outcome in OUTCOMES]
        if self.failed:
            rows.append(("failed", str(len(self.failed))))
        width = max(len(number) for _name, number in rows)
        yield from (f"{name:<8} {number:>{width}}" for name, number in rows)
        for title, listed in (("Refused", self.refused), ("Failed", self.failed)):
            if listed:
                yield f"{title}:"
                yield from (f"  {what}: {reason}" for what, reason in listed)


def shown(path: Path | str) -> str:
    """Write a path for people; each of its names may have an encoding of its own."""
    return "/".join(guess_escaped(name) for name in str(path).split("/"))


def genre_notes(report: Report, *, but: str) -> Iterator[str]:
    """Yield a line for each word that means no genre here; `but` tells what becomes of such files."""
    words = sorted(report.unknown_genres.items(), key=lambda item: (-item[1][0], item[0]))
    for word, (count, reason) in words[:_MOST_WORDS]:
        yield f"{count} of “{word}” {but}: {reason}"
    if len(words) > _MOST_WORDS:
        yield f"{len(words) - _MOST_WORDS} other words mean no genre here either."
    if any(reason == UNKNOWN_GENRE for _count, reason in report.unknown_genres.values()):
        yield "Add these genres, or give --new-genres."


def stamp_of(path: Path) -> str:
    """Size and modification time of a file: where they are the same, its content probably is."""
    stat = path.stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def reason_of(error: Exception) -> str:
    """Say why a file could not be opened."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    # Paths that the system does not take, such as one with a NUL.
    return str(error) or type(error).__name__
