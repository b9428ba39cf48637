"""Input files of the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

_SUFFIXES = (
    ".aac .aif .aifc .aiff .amr .ape .au .caf .flac .m4a .m4b .mka .mp2 .mp3 .mp4 .oga .ogg .opus .snd .tta "
    ".voc .w64 .wav .weba .webm .wma .wv"
)
AUDIO_SUFFIXES = frozenset(_SUFFIXES.split())


def audio_files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the given files, and those with an audio suffix in the given folders, in a stable order."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, subfolders, names in os.walk(path):
            subfolders.sort()
            for name in sorted(names):
                if Path(name).suffix.lower() in AUDIO_SUFFIXES:
                    yield Path(folder) / name
