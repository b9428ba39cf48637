"""The verdict on a recording in which the music is hard to hear, as through a microphone across a room.

Where the detector of music is doubtful, the sound is equalised and given to the tagger once more, and a head
that was fitted on simulated recordings, equalised in the same way, names the genre from the embeddings of
several networks: they err on different recordings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.equalisation import equalise
from classifier.core.tagger import Tagger, TagOutput
from classifier.core.tagger_input import (
    HOP_LENGTH,
    MOST_PATCHES,
    PATCH_FRAMES,
    SAMPLE_RATE,
    CutPatches,
    at_common_level,
    patches_of,
    patches_of_spectrogram,
)
from classifier.core.verdict import TaggerHead, head_probabilities, mean_over_patches

FloatArray = NDArray[np.float32]

RECORDING_HEAD_FILE: Final = "recording_head.npz"
NETWORKS: Final = ("msd", "mtt", "msd_vgg", "mtt_vgg")
"""Of the tagger, whose embeddings of the equalised sound the head reads one after the other."""
_AT_COMMON_LEVEL: Final = "msd_vgg"
LEVELLED: Final = f"{_AT_COMMON_LEVEL}_levelled"
"""After them comes what that network gives for the sound at a common level with its own spectrum."""
SECONDS: Final = 72.0
"""Longest stretch of a track, from its middle, that is equalised."""
STEP_FRAMES: Final = 31
"""Half a second from one patch to the next: what drowns the music passes."""
_INPUT: Final = "equalised.5"
"""To be changed with `recording_row`, the weights of `NETWORKS` and `classifier.core.equalisation`."""
_FORMER_INPUT: Final = "equalised"
"""Of heads up to 2026.12.2, which versions of a site may keep: the embedding of the first of `NETWORKS`."""


@dataclass(frozen=True, slots=True)
class RecordingParams:
    """Thresholds, chosen on real recordings of known clips, the clips' artists left out of the head.

    Of 136 songs that are no recordings none is always taken for one, and one where its verdict is unsure; of
    98 real recordings 92 and 96 %.

    Attributes
    ----------
    drowned_below
        Logit of music below which a sound is always taken for a recording.
    missing_bass_db
        `TagOutput.missing_bass_db` above which the sound comes from a small loudspeaker. Of the songs 10 %
        lie above it, of the recordings 97 %.
    thin_below
        Logit of music below which such a sound is always taken for a recording.
    score_below
        Logit of music below which such a sound is taken for one where its verdict is unsure otherwise.
    doubtful_below, equalised_doubtful_below
        Logits of music, before and after equalisation, below which no genre is sure. After it all recordings
        whose likeliest genre reaches `unsure_below` lie above 2.4, and everyday sounds mostly below 2.2.
    unsure_below
        Probability of the likeliest genre below which it is not sure.
    """

    drowned_below: float = 0.5
    missing_bass_db: float = 3.0
    thin_below: float = 2.0
    score_below: float = 2.6
    doubtful_below: float = 0.5
    equalised_doubtful_below: float = 2.3
    unsure_below: float = 0.5

    def always_below(self, missing_bass_db: float) -> float:
        """Logit of music below which a sound is taken for a recording, whatever its verdict is otherwise."""
        return self.thin_below if missing_bass_db > self.missing_bass_db else self.drowned_below

    def unsure_too_below(self, missing_bass_db: float) -> float:
        """Logit of music below which it is taken for one where its verdict is unsure otherwise."""
        return self.score_below if missing_bass_db > self.missing_bass_db else self.drowned_below


DEFAULT_PARAMS: Final = RecordingParams()


@dataclass(frozen=True, slots=True)
class RecordingVerdict:
    """The verdict on an equalised recording; `probabilities` by label sum to 1."""

    label: str
    probabilities: Mapping[str, float]
    unsure: bool


def input_version(tagger: str) -> str:
    """Of the tagger and of how a recording is equalised: a head that names another one is not used."""
    return f"{tagger}.{_INPUT}"


def fits(head: TaggerHead, tagger: str) -> bool:
    """Whether a head was fitted on what recordings are turned into now, or on the first part of it."""
    return head.tagger in {input_version(tagger), f"{tagger}.{_FORMER_INPUT}"}


def tag_equalised(
    tagger: Tagger, samples: FloatArray, *, sample_rate: int = 22_050, most: int = MOST_PATCHES
) -> TagOutput:
    """Tag equalised patches of a recording with the networks whose embeddings the head reads.

    Parameters
    ----------
    samples
        (n_samples,) mono.
    most
        Largest number of patches; one alone lies in the middle.
    """
    step = STEP_FRAMES if most > 1 else PATCH_FRAMES
    middle = _middle(samples, int(SECONDS * sample_rate))
    return _tag_equalised(
        tagger, patches_of(middle, sample_rate=sample_rate, most=most, step=step, treble=True)
    )


def tag_equalised_spectrogram(tagger: Tagger, log_mel: FloatArray) -> TagOutput:
    """Tag a recording as `tag_equalised` does of which only its spectrogram was kept.

    Parameters
    ----------
    log_mel
        (n_frames, N_MELS) as for `classifier.core.tagger_input.patches_of_spectrogram`.
    """
    middle = _middle(log_mel, int(SECONDS * SAMPLE_RATE / HOP_LENGTH))
    return _tag_equalised(tagger, patches_of_spectrogram(middle, step=STEP_FRAMES, treble=True))


def _middle(values: FloatArray, longest: int) -> FloatArray:
    begin = max(0, (len(values) - longest) // 2)
    return values[begin : begin + longest]


def _tag_equalised(tagger: Tagger, cut: CutPatches) -> TagOutput:
    equalised = tagger.tag_patches(replace(cut, log_mel=equalise(cut.log_mel)), networks=NETWORKS)
    if _AT_COMMON_LEVEL not in equalised.networks:  # installed before recordings were given to it
        return equalised
    places = equalised.asked[_AT_COMMON_LEVEL]
    levelled = tagger.networks[_AT_COMMON_LEVEL].run(at_common_level(cut.log_mel)[places])
    return replace(
        equalised,
        networks={**equalised.networks, LEVELLED: levelled},
        asked={**equalised.asked, LEVELLED: places},
    )


def recording_row(equalised: TagOutput) -> FloatArray:
    """(n_features,) float32: the mean embeddings of `NETWORKS` and `LEVELLED`, those that are there."""
    there = [name for name in (*NETWORKS, LEVELLED) if name in equalised.networks]
    means = [mean_over_patches(equalised, name, equalised.networks[name].embedding) for name in there]
    return np.concatenate(means).astype(np.float32)


def row_for(head: TaggerHead, equalised: TagOutput) -> FloatArray | None:
    """As much of `recording_row` as a head reads; None where it was fitted on something else."""
    row, size = recording_row(equalised), len(head.weights)
    first = equalised.networks[NETWORKS[0]].embedding.shape[1]
    return row[:size] if size in {row.size, first} else None


def classify_recording(
    network: Mapping[str, float],
    row: NDArray[np.floating[Any]],
    head: TaggerHead,
    *,
    scores: tuple[float, float],
    params: RecordingParams = DEFAULT_PARAMS,
) -> RecordingVerdict:
    """Name the genre of an equalised recording.

    Parameters
    ----------
    network
        Probabilities of the platform's network by label: labels that the head does not know keep them.
    row
        (n_features,) `recording_row` of the equalised sound.
    scores
        Logits of music before and after equalisation.
    """
    labels = list(network)
    own = np.array([network[label] for label in labels], np.float64)
    values = head_probabilities(head.probabilities(row.astype(np.float32)), labels, own)
    best = int(values.argmax())
    before, after = scores
    audible = before >= params.doubtful_below and after >= params.equalised_doubtful_below
    return RecordingVerdict(
        label=labels[best],
        probabilities={label: float(p) for label, p in zip(labels, values, strict=True)},
        unsure=not audible or float(values[best]) < params.unsure_below,
    )
