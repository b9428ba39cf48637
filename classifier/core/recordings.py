"""The verdict on a recording in which the music is hard to hear, as through a microphone across a room.

Where the detector of music is doubtful, the sound is equalised and given to the tagger once more, and a head
that was fitted on simulated recordings, equalised in the same way, names the genre from its embedding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.equalisation import equalise
from classifier.core.tagger import Tagger, TagOutput
from classifier.core.tagger_input import MOST_PATCHES, PATCH_FRAMES, patches_of
from classifier.core.verdict import TaggerHead, head_probabilities

FloatArray = NDArray[np.float32]

RECORDING_HEAD_FILE: Final = "recording_head.npz"
SECONDS: Final = 72.0
"""Longest stretch of a track, from its middle, that is equalised."""
STEP_FRAMES: Final = 31
"""Half a second from one patch to the next: what drowns the music passes."""
_EQUALISATION: Final = "equalised"
"""To be changed with `classifier.core.equalisation`."""


@dataclass(frozen=True, slots=True)
class RecordingParams:
    """Thresholds, chosen on real recordings of known clips, the clips' artists left out of the head.

    Attributes
    ----------
    drowned_below
        Logit of music below which a sound is always taken for a recording. Of songs that are no recordings
        2 % lie below it, of real recordings 67 %.
    score_below
        Logit of music below which it is taken for a recording where its verdict is unsure otherwise. Of other
        songs 9 % lie below it, of real recordings 93 %.
    doubtful_below
        Logit of music, before and after equalisation, below which no genre is sure.
    unsure_below
        Probability of the likeliest genre below which it is not sure. Chosen on the same recordings by the
        head that ships, which was fitted on simulated recordings of their artists too.
    """

    drowned_below: float = 0.8
    score_below: float = 2.0
    doubtful_below: float = 0.5
    unsure_below: float = 0.45


DEFAULT_PARAMS: Final = RecordingParams()


@dataclass(frozen=True, slots=True)
class RecordingVerdict:
    """The verdict on an equalised recording; `probabilities` by label sum to 1."""

    label: str
    probabilities: Mapping[str, float]
    unsure: bool


def input_version(tagger: str) -> str:
    """Of the tagger and of how a recording is equalised: a head that names another one is not used."""
    return f"{tagger}.{_EQUALISATION}"


def tag_equalised(
    tagger: Tagger, samples: FloatArray, *, sample_rate: int = 22_050, most: int = MOST_PATCHES
) -> TagOutput:
    """Tag equalised patches of a recording with the network whose embedding the head reads.

    Parameters
    ----------
    samples
        (n_samples,) mono.
    most
        Largest number of patches; one alone lies in the middle.
    """
    longest = int(SECONDS * sample_rate)
    begin = max(0, (samples.size - longest) // 2)
    cut = patches_of(
        samples[begin : begin + longest],
        sample_rate=sample_rate,
        most=most,
        step=STEP_FRAMES if most > 1 else PATCH_FRAMES,
        treble=True,
    )
    return tagger.tag_patches(replace(cut, log_mel=equalise(cut.log_mel)), networks=("msd",))


def classify_recording(
    network: Mapping[str, float],
    embedding: NDArray[np.floating[Any]],
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
    embedding
        (200,) mean embedding of the equalised sound.
    scores
        Logits of music before and after equalisation.
    """
    labels = list(network)
    own = np.array([network[label] for label in labels], np.float64)
    values = head_probabilities(head.probabilities(embedding.astype(np.float32)), labels, own)
    best = int(values.argmax())
    audible = min(scores) >= params.doubtful_below
    return RecordingVerdict(
        label=labels[best],
        probabilities={label: float(p) for label, p in zip(labels, values, strict=True)},
        unsure=not audible or float(values[best]) < params.unsure_below,
    )
