"""Walk folders of music as people keep them: with links, names of any encoding, and genres at any depth."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from classifier.core.legacy_text import ENCODINGS

# Files beside music that are skipped without a word.
NOT_MUSIC = {
    *(".txt", ".md", ".csv", ".json", ".xml", ".html", ".pdf", ".nfo", ".log", ".sfv", ".cue", ".ini", ".db"),
    *(".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".svg", ".m3u", ".m3u8", ".pls"),
    *(".npz", ".npy", ".mf"),
}


def walk(folder: Path) -> Iterator[Path]:
    """Yield the files under `folder` that may hold music, in order, following links to folders.

    Every folder is read once, under its own name rather than a link's; a link to a folder that holds
    `folder` itself is not followed. What cannot be opened, such as a link to nothing or a folder that may not
    be read, is yielded too, so that it is refused with a reason.
    """
    top = folder.resolve()
    seen = {_identity(parent) for parent in top.parents}
    real, links = deque([folder]), deque[Path]()
    found: list[Path] = []
    while real or links:
        current = real.popleft() if real else links.popleft()
        try:
            identity = _identity(current)
            if identity in seen:
                continue
            seen.add(identity)
            with os.scandir(current) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            found.append(current)
            continue
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                real.append(path)
            elif entry.is_symlink() and path.is_dir():
                links.append(path)
            elif path.suffix.lower() not in NOT_MUSIC and (path.is_file() or not path.exists()):
                # Neither pipes nor devices, which would block or never end.
                found.append(path)
    yield from sorted(found)


def _identity(folder: Path) -> tuple[int, int]:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino


def genre_folders(places: Sequence[Sequence[str]], is_genre: Callable[[str], bool]) -> list[str]:
    """Choose, for each file, which of the folders that it lies in names its genre.

    Parameters
    ----------
    places
        The folders of each file, the outermost first.
    is_genre
        Whether a name is a genre that is known.

    Returns
    -------
    list of str
        The outermost folder with the name of a known genre. Where there is none, the folder at the depth at
        which most other files have theirs, so that ``genres/polka`` beside ``genres/rock`` is "polka"; else
        the outermost one. Empty for a file that lies in no folder.
    """
    known = {name: is_genre(name) for name in {name for place in places for name in place}}
    depths = [next((depth for depth, name in enumerate(place) if known[name]), None) for place in places]
    usual = Counter(depth for depth in depths if depth is not None).most_common(1)
    chosen = []
    for place, own_depth in zip(places, depths, strict=True):
        depth = own_depth if own_depth is not None else usual[0][0] if usual else 0
        chosen.append(place[depth if depth < len(place) else 0] if place else "")
    return chosen


def find(folder: Path, place: str) -> Path:
    """Return the path of a file that a table names, in whatever spelling the disk has it.

    A table and a disk may disagree in the normal form of accents (macOS), the encoding of names (old discs),
    and the separator (Windows). If no spelling is there, the path as it was written.
    """
    plain = place if "\\" not in place else place.replace("\\", "/")
    for written in dict.fromkeys((place, plain)):
        for form in (written, *(unicodedata.normalize(form, written) for form in ("NFC", "NFD"))):
            if os.path.lexists(folder / form):
                return folder / form
    for encoding in ENCODINGS:
        try:
            spelt = os.fsdecode(unicodedata.normalize("NFC", plain).encode(encoding))
        except UnicodeEncodeError:
            continue
        if os.path.lexists(folder / spelt):
            return folder / spelt
    return folder / place
