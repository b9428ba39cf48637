"""How good the lenses are by which similar tracks are found, measured on the whole clips of a data folder.

Lens by lens: does the first half of a clip find the second one among all second halves; do a clip's three
nearest by other artists share its genre; and is every clip recommended for some other one, and none for too
many. Besides, what simulated thumbs gain. Most lenses were fitted on the clips of the train part, so there
are figures for queries by all clips and for those of the other clips alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core import keys, retrieval
from classifier.core.audio import SAMPLE_RATE, decode
from classifier.core.chroma import transposed
from classifier.core.lenses import (
    BLEND,
    HARMONY,
    HARMONY_ANY_KEY,
    LENSES,
    SIZES,
    SOUND,
    VERSION,
    Facts,
    corrected_distance,
    isolation_of,
    vectors_of,
)
from classifier.core.tagger import Tagger
from classifier.fitting.data import sound_channels
from classifier.fitting.evaluation import thumbs
from classifier.fitting.evaluation.outside.figures import Share, share
from classifier.fitting.lenses import FITTED_ON, facts_of, halves_of, whole_clips
from classifier.releases.similarity import FORMAT_VERSION, JSON_FILE

Float64 = NDArray[np.float64]
Report = Callable[[int, int], None]

DESCRIPTOR: Final = "descriptor"
"""The chroma descriptors as they are, by which neighbours were found before there were lenses."""
SHIFTS: Final = tuple(shift for shift in range(-6, 7) if shift)
_LEAST_CLIPS: Final = 50
"""Of a genre: of fewer no neighbour could be told to be right."""
_K: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """Clips, what is known of them, and what analyses of each, its first and its second half hold."""

    rows: Sequence[Mapping[str, str]]
    facts: Sequence[tuple[Facts, Facts, Facts]]

    @property
    def artists(self) -> list[tuple[str, str]]:
        """Clips of an unknown artist are by different ones."""
        return [("artist", row["artist"]) if row["artist"] else ("clip", row["name"]) for row in self.rows]

    @property
    def held_out(self) -> NDArray[np.bool_]:
        return np.array([row["filtered_split"] != FITTED_ON for row in self.rows], bool)

    def vectors(self, lens: str, part: int, *, shift: int = 0) -> Float64:
        """Vectors of a part of every clip (0 whole, 1 and 2 its halves), some semitones higher."""
        return np.stack([_vector(lens, clip[part], shift) for clip in self.facts])


def measure(data: Path, tagger: Tagger | None, *, altered: int, on_progress: Report) -> dict[str, Any]:
    """Measure every lens.

    Parameters
    ----------
    altered
        Clips, none of them fitted on, that are also measured after what happens to songs: other encodings,
        levels and speeds, and noise.

    Raises
    ------
    DatasetError
        The table cannot be read, or there is no sound.
    """
    rows = _chosen(whole_clips(data))
    unseen = [row for row in rows if row["filtered_split"] != FITTED_ON]
    some = unseen[:: max(1, len(unseen) // altered)][:altered] if altered else []
    total = len(rows) + len(some)
    facts = []
    for row in rows:
        facts.append(halves_of(Path(row["path"]), tagger))
        on_progress(len(facts), total)
    clips = Clips(rows, facts)
    lenses = [lens for lens in LENSES if all(lens in vectors_of(whole) for whole, _, _ in facts)]
    return {
        "format_version": FORMAT_VERSION,
        "lens_version": VERSION,
        "tagger": tagger.version if tagger else None,
        "date": datetime.now(UTC).date().isoformat(),
        "clips": len(rows),
        "held_out": int(clips.held_out.sum()),
        "artists": len(set(clips.artists)),
        "lenses": {lens: _figures(clips, lens) for lens in (DESCRIPTOR, *lenses)},
        "altered": _altered(clips, some, tagger, lambda done: on_progress(len(rows) + done, total)),
        "key": _key_figures(clips),
        "thumbs": _thumb_figures(clips) if lenses == list(LENSES) else None,
    }


def write(content: Mapping[str, Any], path: Path = JSON_FILE) -> None:
    """Write the figures where the page *How good is it?* reads them."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)


def table(content: Mapping[str, Any]) -> list[str]:
    """The figures as lines of text."""
    lines = [
        f"{content['clips']} clips by {content['artists']} artists; in brackets only queries by the "
        f"{content['held_out']} clips that no lens was fitted on",
        f"{'lens':16} {'n':>4} {'other half, MRR / first':>30} {'P@3, other artists':>20} {'never':>6} "
        f"{'most':>5}",
    ]
    for lens, row in content["lenses"].items():
        half, alone = row["other_half"], row["other_half_held_out"]
        found = f"{half['mrr']:.3f} / {half['first']:.3f} ({alone['mrr']:.3f} / {alone['first']:.3f})"
        right, right_alone = row["precision"]["value"], row["precision_held_out"]["value"]
        lines.append(
            f"{lens:16} {row['dimensions']:4} {found:>30} {right:12.3f} ({right_alone:.3f}) "
            f"{100 * row['never']:4.1f} % {row['most']:5}"
        )
        if shifted := row.get("transposed"):
            lines.append(
                f"  at every shift from -6 to +6: {shifted['mrr']:.3f} / {shifted['first']:.3f}, held out "
                f"{shifted['mrr_held_out']:.3f}"
            )
    for name, figure in content["altered"].items():
        lines.append(f"{SOUND}, {name}: {100 * figure['value']:.1f} % of {figure['n']} find themselves first")
    if key := content["key"]:
        lines.append(
            f"key of {key['n']} clips: weighted score {key['weighted']:.3f}, right {key['right']:.3f}"
        )
    for preference, counts in (content.get("thumbs") or {}).items():
        found = ", ".join(
            f"{n}: {figure['precision']['value']:.3f} ({figure['gain']:+.3f})" for n, figure in counts.items()
        )
        lines.append(f"P@3 by {preference} after so many simulated thumbs: {found}")
    return lines


def _chosen(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Clips of genres of which there are enough; all where no genre has so many."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["genre"]] = counts.get(row["genre"], 0) + 1
    return [row for row in rows if counts[row["genre"]] >= _LEAST_CLIPS] or list(rows)


def _vector(lens: str, facts: Facts, shift: int) -> Float64:
    descriptor = transposed(facts.descriptor[None], shift)[0] if shift else facts.descriptor
    if lens == DESCRIPTOR:
        return np.asarray(descriptor, np.float64)
    return np.asarray(vectors_of(replace(facts, descriptor=descriptor))[lens], np.float64)


def _between(lens: str, queries: Float64, tracks: Float64) -> Float64:
    """Distances (n_queries, n_tracks) as neighbours are ordered by."""
    exact = retrieval.distances(queries, tracks)
    if lens != BLEND:
        return exact
    isolations = [isolation_of(np.asarray(track, np.float32)) for track in tracks]
    return np.array(
        [[corrected_distance(*pair) for pair in zip(row, isolations, strict=True)] for row in exact.tolist()]
    )


def _figures(clips: Clips, lens: str) -> dict[str, Any]:
    whole, first, second = (clips.vectors(lens, part) for part in range(3))
    held_out = clips.held_out
    own = range(len(whole))
    ranks = retrieval.ranks(_between(lens, first, second), own)
    between = _between(lens, whole, whole)
    precisions = retrieval.precision(
        retrieval.nearest(between, clips.artists, _K), [row["genre"] for row in clips.rows]
    )
    hubs = retrieval.hubs(retrieval.nearest(between, [row["name"] for row in clips.rows], _K), len(whole))
    figures: dict[str, Any] = {
        "dimensions": SIZES.get(lens, whole.shape[1]),
        "other_half": _ranked(ranks),
        "other_half_held_out": _ranked(ranks[held_out]) if held_out.any() else None,
        "precision": share(precisions, clips.artists),
        "precision_held_out": share(precisions, clips.artists, among=held_out),
        "never": hubs.never,
        "most": hubs.most,
    }
    if lens in (DESCRIPTOR, HARMONY, HARMONY_ANY_KEY):
        shifted = np.concatenate(
            [
                retrieval.ranks(retrieval.distances(first, clips.vectors(lens, 2, shift=shift)), own)
                for shift in SHIFTS
            ]
        )
        alone = shifted[np.tile(held_out, len(SHIFTS))]
        figures["transposed"] = {
            **_ranked(shifted),
            "mrr_held_out": _ranked(alone)["mrr"] if len(alone) else None,
        }
    return figures


def _ranked(ranks: NDArray[np.intp]) -> dict[str, float]:
    return {"mrr": float((1 / ranks).mean()), "first": float((ranks == 1).mean())}


def _altered(
    clips: Clips, rows: Sequence[Mapping[str, str]], tagger: Tagger | None, on_progress: Callable[[int], None]
) -> dict[str, Share]:
    """How often a song that was altered finds itself first among all clips, by sound.

    Another clip of the same recording counts as the song itself.
    """
    if tagger is None or not rows:
        return {}
    whole = clips.vectors(SOUND, 0)
    recordings = [row.get("repetition_group") or row["name"] for row in clips.rows]
    hits: dict[str, list[bool]] = {}
    for done, row in enumerate(rows, start=1):
        with Path(row["path"]).open("rb") as file:
            samples = decode(file).samples
        for name, sound in _alterations(samples, seed=done).items():
            vector = _vector(SOUND, facts_of(sound, tagger), 0)[None]
            first = int(retrieval.distances(vector, whole)[0].argmin())
            hits.setdefault(name, []).append(
                recordings[first] == (row.get("repetition_group") or row["name"])
            )
        on_progress(done)
    artists = [row["artist"] or row["name"] for row in rows]
    shares = {name: share(np.array(found, bool), artists) for name, found in hits.items()}
    return {name: found for name, found in shares.items() if found is not None}


def _alterations(samples: NDArray[np.float32], *, seed: int) -> dict[str, NDArray[np.float32]]:
    from librosa.effects import time_stretch

    rng = np.random.default_rng([11, seed])
    exact = samples.astype(np.float64)
    made = {
        "mp3": sound_channels.encoded(exact, codec="libmp3lame", sample_rate=SAMPLE_RATE, bit_rate=64_000),
        "opus": sound_channels.encoded(exact, codec="libopus", sample_rate=48_000, bit_rate=32_000),
        "quieter": exact * 10 ** (-12 / 20),
        "slower": time_stretch(samples, rate=0.95),
        "faster": time_stretch(samples, rate=1.05),
        "noise": sound_channels.noise(exact, rng, snr_db=20),
    }
    return {name: np.asarray(sound, np.float32) for name, sound in made.items()}


def _thumb_figures(clips: Clips) -> dict[str, Any]:
    """What thumbs gain, on the clips that no lens was fitted on."""
    chosen = np.flatnonzero(clips.held_out).tolist()
    return thumbs.gains(
        {lens: clips.vectors(lens, 0)[chosen] for lens in LENSES},
        [clips.rows[place]["genre"] for place in chosen],
        [clips.artists[place] for place in chosen],
    )


def _key_figures(clips: Clips) -> dict[str, float | int] | None:
    known = [
        (keys.key_of(facts[0].descriptor), keys.parsed(row["key"]))
        for row, facts in zip(clips.rows, clips.facts, strict=True)
        if row.get("key")
    ]
    pairs = [(found, true) for found, true in known if true is not None]
    if not pairs:
        return None
    scores = np.array([keys.weighted_score(found, true) if found else 0.0 for found, true in pairs])
    return {"n": len(pairs), "weighted": float(scores.mean()), "right": float((scores == 1.0).mean())}
