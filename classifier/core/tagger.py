"""A pre-trained tagger in service: a track's sound -> tags and embeddings of patches spread over it.

What it is given is cut by `classifier.core.tagger_input`. Nothing here imports TensorFlow; the files are made
by `classifier.fitting.tagger` when the platform is installed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.activations import sigmoid
from classifier.core.equalisation import missing_bass_db
from classifier.core.tagger_input import (
    MOST_PATCHES,
    PATCH_FRAMES,
    PATCH_SECONDS,
    CutPatches,
    at_common_level,
    is_narrow,
    patches_of,
)

log = logging.getLogger(__name__)

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.intp]

FORMAT_VERSION: Final = 1
METADATA_FILE: Final = "tagger.json"

TAGGING: Final = ("msd", "mtt")
"""The networks that are given every track. The others are given recordings: `classifier.core.recordings`."""
EVERY: Final[Mapping[str, int]] = {"mtt": 3, "msd_vgg": 3, "mtt_vgg": 3}
"""Networks that cost more, or matter less, are given every third patch."""

MSD_TAGS: Final = (
    *("rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s"),
    *("alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul"),
    *("indie rock", "mellow", "electronica", "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies"),
    *("blues", "hard rock", "ambient", "acoustic", "experimental", "female vocalist", "guitar", "hip-hop"),
    *("70s", "party", "country", "easy listening", "sexy", "catchy", "funk", "electro", "heavy metal"),
    *("progressive rock", "60s", "rnb", "indie pop", "sad", "house", "happy"),
)
MTT_TAGS: Final = (
    *("guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano"),
    *("ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing"),
    *("vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal"),
    *("pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice", "new age", "dance", "male voice"),
    *("female vocal", "beats", "harp", "cello", "no voice", "weird", "country", "metal", "female voice"),
    "choral",
)

_INPUT_VERSION: Final = "7k"
"""Of how inputs are made, beside the version of the weights; to be raised when they change."""


class TaggerError(ValueError):
    """The tagger's files cannot be used; the message says why in one sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class PatchTags:
    """What one network gives for n patches.

    Attributes
    ----------
    logits
        (n, n_tags) float32; each tag's sigmoid is its probability, tags do not exclude each other.
    embedding
        (n, 200) float32, the penultimate layer.
    pooled
        (n, n_pooled) float32: the maximum over the frames of every channel that lives, then the mean; (n, 0)
        of a network that does not give them.
    """

    logits: FloatArray
    embedding: FloatArray
    pooled: FloatArray

    @property
    def probabilities(self) -> FloatArray:
        """(n, n_tags) float32."""
        return sigmoid(self.logits).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class TagOutput:
    """What the taggers give for one track.

    Attributes
    ----------
    start
        (n,) seconds at which each patch of `PATCH_SECONDS` begins.
    level
        (n,) float32: root mean square of each patch's samples.
    networks
        By name, as in `Tagger.networks`.
    asked
        Of each network, places of the patches that it was given.
    narrow
        Whether there is nothing above 4 kHz, as on a telephone.
    missing_bass_db
        As of `classifier.core.equalisation.missing_bass_db`.
    equalised
        The output for the same sound after `classifier.core.equalisation`; None where that was not needed.
    levelled
        What MSD gives for its patches at a common level; None where nobody asked.
    """

    start: NDArray[np.float64]
    level: FloatArray
    networks: Mapping[str, PatchTags]
    asked: Mapping[str, IntArray]
    narrow: bool = False
    missing_bass_db: float = 0.0
    equalised: TagOutput | None = None
    levelled: PatchTags | None = None

    @property
    def centre(self) -> NDArray[np.float64]:
        """(n,) seconds of the middle of each of MSD's patches."""
        return np.asarray(self.start[self.asked["msd"]] + PATCH_SECONDS / 2)


class LiteRtTagger:
    """One LiteRT network. Safe to share between threads and to carry through a fork."""

    def __init__(self, model: bytes) -> None:
        self._model = model
        self._local = threading.local()

    def run(self, patches: FloatArray) -> PatchTags:
        """Outputs for (n, PATCH_FRAMES, N_MELS) log-mel patches, n at least 1."""
        runner = self._runner()
        rows = [runner(log_mel=patch[np.newaxis, :, :, np.newaxis]) for patch in patches]
        nothing = np.zeros((1, 0), np.float32)
        return PatchTags(
            *(np.concatenate([row.get(key, nothing) for row in rows]) for key in PatchTags.__slots__)
        )

    def _runner(self) -> Any:
        if getattr(self._local, "pid", None) != os.getpid():
            from ai_edge_litert.interpreter import Interpreter

            self._local.interpreter = Interpreter(model_content=self._model, num_threads=1)
            self._local.runner = self._local.interpreter.get_signature_runner()
            self._local.pid = os.getpid()
        return self._local.runner


class Tagger:
    """The taggers of one folder, verified and ready. Safe to share between threads.

    Attributes
    ----------
    networks
        By name: those of `TAGGING`, and those that only recordings are given to.
    tags
        Names of the outputs of each network.
    version
        Names the weights of `TAGGING` and how their inputs are made: outputs with the same version agree
        within the tolerance of the conversion.
    """

    def __init__(
        self, networks: Mapping[str, LiteRtTagger], tags: Mapping[str, tuple[str, ...]], version: str
    ) -> None:
        self.networks = dict(networks)
        self.tags = dict(tags)
        self.version = version

    @classmethod
    def load(cls, folder: Path) -> Tagger:
        """Read the folder that `classifier.fitting.tagger` wrote.

        Raises
        ------
        TaggerError
            It is not there, not whole, or not what its metadata say.
        """
        try:
            metadata = json.loads((folder / METADATA_FILE).read_text(encoding="utf-8"))
            if metadata["format_version"] != FORMAT_VERSION:
                raise TaggerError(f"The tagger has format version {metadata['format_version']}.")
            entries: dict[str, Any] = {str(name): entry for name, entry in metadata["networks"].items()}
            digests = {name: str(entry["sha256"]) for name, entry in entries.items()}
            weights = "".join(str(entries[name]["checkpoint_sha256"]) for name in TAGGING if name in entries)
            tags = {name: tuple(map(str, entry["tags"])) for name, entry in entries.items()}
            models = {name: (folder / model_file(name)).read_bytes() for name in entries}
        except TaggerError:
            raise
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise TaggerError(f"The tagger cannot be read: {error!r}.") from error
        for name, model in models.items():
            if hashlib.sha256(model).hexdigest() != digests[name]:
                raise TaggerError(f"The file of the tagger {name} does not match the hash in its metadata.")
        networks = {name: LiteRtTagger(model) for name, model in models.items()}
        return cls(networks, tags, f"{hashlib.sha256(weights.encode()).hexdigest()[:12]}.{_INPUT_VERSION}")

    def tag(
        self,
        samples: FloatArray,
        *,
        sample_rate: int = 22_050,
        most: int = MOST_PATCHES,
        networks: Collection[str] | None = None,
        step: int = PATCH_FRAMES,
        treble: bool = False,
        levelled: bool = False,
    ) -> TagOutput:
        """Tag patches spread evenly over a track.

        Parameters
        ----------
        samples
            (n_samples,) mono; at its own level, for the network knows loudness. Very quiet ones are raised.
        sample_rate
            22,050 or 16,000 Hz.
        most
            Largest number of patches.
        networks
            Which to ask; those of `TAGGING` where None.
        step
            As in `patch_starts`.
        treble
            Whether the network is given what lies above 7 kHz too: see `EMPTIED_FROM_BAND`.
        levelled
            As in `tag_patches`.
        """
        cut = patches_of(samples, sample_rate=sample_rate, most=most, step=step, treble=treble)
        return self.tag_patches(cut, networks=networks, levelled=levelled)

    def tag_patches(
        self, cut: CutPatches, *, networks: Collection[str] | None = None, levelled: bool = False
    ) -> TagOutput:
        """Tag patches that are already cut, of one track, in order.

        Parameters
        ----------
        networks
            Which to ask; those of `TAGGING` where None.
        levelled
            Whether to run MSD on them at a common level too, for neighbours that do not depend on loudness.
        """
        wanted = TAGGING if networks is None else networks
        every = {name: EVERY.get(name, 1) for name in self.networks if name in wanted}
        asked = {
            name: np.arange(min(n // 2, len(cut.start) - 1), len(cut.start), n) for name, n in every.items()
        }
        given = {name: self.networks[name].run(cut.log_mel[places]) for name, places in asked.items()}
        at_one_level = at_common_level(cut.log_mel)[asked["msd"]] if levelled else None
        return TagOutput(
            start=cut.start,
            level=cut.level,
            networks=given,
            asked=asked,
            narrow=is_narrow(cut.log_mel),
            missing_bass_db=missing_bass_db(cut.log_mel),
            levelled=None if at_one_level is None else self.networks["msd"].run(at_one_level),
        )


@lru_cache(maxsize=1)
def installed() -> Tagger | None:
    """Load the tagger of this environment, once per process; None where it is missing or cannot be used."""
    folder = default_folder()
    if not (folder / METADATA_FILE).exists():
        return None
    try:
        return Tagger.load(folder)
    except TaggerError as error:
        log.warning("%s", error)
        return None


def default_folder() -> Path:
    """Where an installation keeps the taggers: beside the packages of the environment that runs."""
    return Path(sys.prefix, "share", "genreweb", "tagger")


def model_file(name: str) -> str:
    """Name of the LiteRT file of a network."""
    return f"{name}.tflite"
