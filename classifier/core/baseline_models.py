"""Models other than LiteRT networks: nearest neighbours of MFCCs, and a small network on 57 features.

Each takes the stretches of a track and has the outputs of a network, so that verdict, timeline, "unsure" and
embedding are computed in the same way for every model. They need NumPy only.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from classifier.core.arrays import arrays_from, shaped
from classifier.core.baselines import Gaussians, gaussians, symmetric_kl, vote
from classifier.core.errors import ReleaseError
from classifier.core.outputs import NetworkOutput
from classifier.core.patches import Patches, PatchParams
from classifier.core.summary import COLUMNS, summarise

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.intp]

N_MFCC = 13
N_FEATURES = len(COLUMNS)
PIECE_SECONDS = 10.0
"""Length of the stretches that the features are taken of; tempo needs some bars."""
_CLIPPED_AT = 5.0
_STEEPNESS = 4.0
_QUIET = 10 ** (-60 / 20)
_WHAT = "The arrays of the model"


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """k nearest neighbours between Gaussians of MFCCs; see `classifier.core.baselines.GaussianKnn`.

    The Gaussians are those of the inputs of a network, patches scaled relative to their own reference, so
    loudness does not matter and a knock matters little.

    Attributes
    ----------
    known
        One Gaussian per training clip.
    targets
        (n,) the labels of these clips.
    k
        Neighbours that vote.
    limit
        Divergence from the nearest neighbour up to which a stretch is more likely music than not.
    n_labels
        Genres.
    decibels
        Factor from the values of patches to decibels.
    """

    known: Gaussians
    targets: IntArray
    k: int
    limit: float
    n_labels: int
    decibels: float

    def run(self, inputs: FloatArray) -> NetworkOutput:
        """Votes for (n_patches, n_mels, n_columns) inputs, as logits."""
        found = self.gaussians_of(inputs)
        distances = symmetric_kl(found, self.known)
        votes = vote(distances, self.targets, k=self.k, n_labels=self.n_labels)
        nearest = np.maximum(distances.min(axis=1), 1e-9)
        return NetworkOutput(
            logits=np.asarray(np.log(votes), dtype=np.float32),
            music_logits=np.asarray(_STEEPNESS * np.log(self.limit / nearest), dtype=np.float32),
            embeddings=embedding_of(found),
        )

    def gaussians_of(self, inputs: FloatArray) -> Gaussians:
        """The Gaussian of each patch."""
        return gaussians(list(inputs * np.float32(self.decibels)), N_MFCC)

    def to_bytes(self) -> bytes:
        """The file that `from_bytes` reads."""
        return _packed(
            mean=self.known.mean,
            covariance=self.known.covariance,
            targets=self.targets,
            k=np.array([self.k]),
            limit=np.array([self.limit]),
        )

    @classmethod
    def from_bytes(cls, content: bytes, *, n_labels: int, params: PatchParams) -> Self:
        """Read a model file.

        Raises
        ------
        ReleaseError
            It is damaged, or made of other arrays than this method's.
        """
        arrays = arrays_from(content, what=_WHAT)
        sizes = shaped(
            arrays,
            {
                "mean": ("n", N_MFCC),
                "covariance": ("n", N_MFCC, N_MFCC),
                "targets": ("n",),
                "k": (1,),
                "limit": (1,),
            },
            what=_WHAT,
        )
        targets, k, limit = _targets(arrays["targets"], n_labels), int(arrays["k"][0]), arrays["limit"][0]
        if sizes["n"] == 0 or not 1 <= k <= sizes["n"] or not limit > 0:
            raise ReleaseError(f"{_WHAT} make no sense.")
        covariance = np.asarray(arrays["covariance"], dtype=np.float64)
        if not np.allclose(covariance, covariance.transpose(0, 2, 1)) or (
            np.linalg.eigvalsh(covariance).min() <= 0
        ):
            raise ReleaseError(f"{_WHAT} hold covariances that are none.")
        return cls(
            known=Gaussians(
                np.asarray(arrays["mean"], dtype=np.float64),
                covariance,
                np.asarray(np.linalg.inv(covariance), dtype=np.float64),
            ),
            targets=targets,
            k=k,
            limit=float(limit),
            n_labels=n_labels,
            decibels=params.ceiling_db,
        )


def embedding_of(found: Gaussians) -> FloatArray:
    """(n, 104) means, and the lower halves of the covariances' Cholesky factors, of 13 MFCCs."""
    rows, columns = np.tril_indices(N_MFCC)
    factors = np.linalg.cholesky(found.covariance)[:, rows, columns]
    return np.asarray(np.concatenate([found.mean, factors], axis=1), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SummaryMlp:
    """A fully connected network with rectified units on standardised summary features.

    Attributes
    ----------
    centre, scale
        (57,) subtracted from the features, and dividing them.
    weights, biases
        Of each layer; the last one gives the logits.
    limit
        Mean square of the standardised features up to which a stretch is more likely music than not.
    """

    centre: FloatArray
    scale: FloatArray
    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]
    limit: float

    def run(self, inputs: FloatArray) -> NetworkOutput:
        """Outputs for (n, 57) features; the embedding is what the last hidden layer gives."""
        standard = self.standardise(inputs)
        hidden = standard
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = np.maximum(hidden @ weight + bias, 0.0)
        spread = np.maximum(np.square(standard).mean(axis=1), 1e-9)
        return NetworkOutput(
            logits=np.asarray(hidden @ self.weights[-1] + self.biases[-1], dtype=np.float32),
            music_logits=np.asarray(_STEEPNESS * np.log(self.limit / spread), dtype=np.float32),
            embeddings=np.asarray(hidden, dtype=np.float32),
        )

    def standardise(self, features: NDArray[np.floating[Any]]) -> FloatArray:
        """Bring (n, 57) features to one scale; no single one may take over."""
        standard = (features - self.centre) / self.scale
        return np.asarray(np.clip(standard, -_CLIPPED_AT, _CLIPPED_AT), dtype=np.float32)

    def to_bytes(self) -> bytes:
        """The file that `from_bytes` reads."""
        layers = {f"weight{i}": weight for i, weight in enumerate(self.weights)}
        layers |= {f"bias{i}": bias for i, bias in enumerate(self.biases)}
        return _packed(centre=self.centre, scale=self.scale, limit=np.array([self.limit]), **layers)

    @classmethod
    def from_bytes(cls, content: bytes, *, n_labels: int) -> Self:
        """Read a model file.

        Raises
        ------
        ReleaseError
            It is damaged, or made of other arrays than this method's.
        """
        arrays = arrays_from(content, what=_WHAT)
        depth = sum(name.startswith("weight") for name in arrays)
        if not 1 <= depth <= 8:
            raise ReleaseError(f"{_WHAT} hold {depth} layers.")
        sides: list[int | str] = [N_FEATURES, *(f"layer {i}" for i in range(1, depth)), n_labels]
        layers: dict[str, tuple[int | str, ...]] = {}
        for i in range(depth):
            layers |= {f"weight{i}": (sides[i], sides[i + 1]), f"bias{i}": (sides[i + 1],)}
        shaped(arrays, {"centre": (N_FEATURES,), "scale": (N_FEATURES,), "limit": (1,), **layers}, what=_WHAT)
        if not ((arrays["scale"] > 0).all() and arrays["limit"][0] > 0):
            raise ReleaseError(f"{_WHAT} make no sense.")
        return cls(
            centre=np.asarray(arrays["centre"], dtype=np.float32),
            scale=np.asarray(arrays["scale"], dtype=np.float32),
            weights=tuple(np.asarray(arrays[f"weight{i}"], dtype=np.float32) for i in range(depth)),
            biases=tuple(np.asarray(arrays[f"bias{i}"], dtype=np.float32) for i in range(depth)),
            limit=float(arrays["limit"][0]),
        )


def pieces(samples: FloatArray, params: PatchParams) -> Patches:
    """Cut a track into pieces of equal length, about `PIECE_SECONDS` each, and summarise each.

    Parameters
    ----------
    samples
        (n_samples,) mono, at `params.sample_rate`.

    Returns
    -------
    Patches
        Whose inputs are (n_pieces, 57) features. A piece counts as sounding by its share of samples in
        stretches that are louder than -60 dB of full scale.
    """
    count = max(round(len(samples) / (PIECE_SECONDS * params.sample_rate)), 1)
    borders = np.linspace(0, len(samples), count + 1).astype(np.intp)
    parts = [samples[a:b] for a, b in pairwise(borders)]
    return Patches(
        inputs=np.stack([summarise(part) for part in parts]).astype(np.float32),
        sounding=np.array([_sounding(part, params) for part in parts], dtype=np.float32),
        start=np.asarray(borders[:-1] / params.sample_rate, dtype=np.float64),
        end=np.asarray(borders[1:] / params.sample_rate, dtype=np.float64),
    )


def piece_of(summary: FloatArray, duration: float) -> Patches:
    """A clip of which the summary features were kept, as one piece of `duration` seconds."""
    return Patches(
        inputs=np.asarray(summary[None], dtype=np.float32),
        sounding=np.ones(1, dtype=np.float32),
        start=np.zeros(1),
        end=np.array([duration]),
    )


def _sounding(samples: FloatArray, params: PatchParams) -> float:
    length = max(min(params.hop_length, len(samples)), 1)
    frames = samples[: len(samples) // length * length].reshape(-1, length)
    return float((np.abs(frames).max(axis=1) >= _QUIET).mean()) if len(frames) else 0.0


def _targets(stored: NDArray[Any], n_labels: int) -> IntArray:
    if stored.dtype.kind not in "iu" or stored.min(initial=0) < 0 or stored.max(initial=0) >= n_labels:
        raise ReleaseError(f"{_WHAT} name labels that there are not.")
    return stored.astype(np.intp)


def _packed(**arrays: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]  # the stubs take names for allow_pickle
    return file.getvalue()
