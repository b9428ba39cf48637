"""The table that tags are calibrated by, from the sound of a data folder.

    python -m classifier.fitting.tag_reference ../shared/data/gtzan

Only clips of the train and validation parts are used, whole ones and excerpts. Every genre counts as much as
every other, so that a tag is compared with music of all kinds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.audio import AudioLimits, decode
from classifier.core.dataset import DatasetError
from classifier.core.tagger import Tagger, default_folder
from classifier.core.tags import REFERENCE_FILE, TAGS
from classifier.core.verdict import pool_tags
from classifier.fitting.tagger_head import chosen_clips

VERSION: Final = 1
"""Of the table; to be raised when its figures change."""
LABELS: Final = (
    *("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"),
)
LEVELS: Final = (*(n / 20 for n in range(20)), 0.975, 0.99, 1.0)
_EXCERPT: Final = 0.5
"""How much an excerpt of a few seconds counts beside a whole clip."""
_LIMITS = AudioLimits(min_duration=0.5)
_DIGITS = 4


def weighted_quantiles(
    values: NDArray[np.float64], weights: NDArray[np.float64], levels: Sequence[float]
) -> NDArray[np.float64]:
    """Quantiles of weighted values, interpolated between the middles of their shares.

    Parameters
    ----------
    values, weights
        (n,)
    levels
        0 to 1; the first and the last value at the ends.
    """
    order = np.argsort(values)
    shares = weights[order] / weights.sum()
    middles = np.cumsum(shares) - shares / 2
    middles = (middles - middles[0]) / (middles[-1] - middles[0])
    return np.interp(levels, middles, values[order])


def table_of(
    outputs: Sequence[Mapping[str, float]], weights: Sequence[float], *, tagger: str
) -> dict[str, Any]:
    """The table of clips with the given outputs of the tagger."""
    sources = sorted({source for tag in TAGS.values() for source in tag.sources})
    share = np.asarray(weights, np.float64)
    return {
        "version": VERSION,
        "tagger": tagger,
        "clips": len(outputs),
        "levels": list(LEVELS),
        "quantiles": {
            source: [
                float(f"{value:.{_DIGITS}g}")
                for value in weighted_quantiles(
                    np.array([row[source] for row in outputs], np.float64), share, LEVELS
                )
            ]
            for source in sources
        },
    }


def fit(
    data: Path, tagger: Tagger, *, on_clip: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, Any]:
    """Tag the clips of a data folder and make the table.

    Raises
    ------
    DatasetError
        The folder's table is missing or there is no sound.
    """
    clips = chosen_clips(data, LABELS)
    if not clips:
        raise DatasetError(f"There is no sound of the train and validation parts in {data}.")
    outputs = []
    for done, (path, _, _) in enumerate(clips):
        with path.open("rb") as file:
            samples = decode(file, limits=_LIMITS).samples
        outputs.append(pool_tags(tagger.tag(samples), version=tagger.version).strengths)
        on_clip(done + 1, len(clips))
    shares = [_EXCERPT if short else 1.0 for _, _, short in clips]
    totals: defaultdict[str, float] = defaultdict(float)
    for (_, genre, _), share in zip(clips, shares, strict=True):
        totals[genre] += share
    weights = [share / totals[genre] for (_, genre, _), share in zip(clips, shares, strict=True)]
    return table_of(outputs, weights, tagger=tagger.version)


def write(table: Mapping[str, Any], path: Path) -> None:
    """Write one line for each tag, so that changes can be read."""
    rows = ",\n".join(f"  {json.dumps(tag)}: {json.dumps(row)}" for tag, row in table["quantiles"].items())
    head = "\n".join(
        f" {json.dumps(key)}: {json.dumps(table[key])}," for key in ("version", "tagger", "clips", "levels")
    )
    path.write_text(f'{{\n{head}\n "quantiles": {{\n{rows}\n }}\n}}\n', encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Make the table that tags are calibrated by.")
    parser.add_argument("data", type=Path, help="a folder with tracks.csv, audio/ and audio_short/")
    parser.add_argument("--to", type=Path, default=REFERENCE_FILE)
    options = parser.parse_args(arguments)

    def tell(done: int, total: int) -> None:
        if done % 50 == 0 or done == total:
            sys.stderr.write(f"{done} of {total} clips\n")

    write(fit(options.data, Tagger.load(default_folder()), on_clip=tell), options.to)


if __name__ == "__main__":
    main()
