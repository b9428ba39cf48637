"""Classical methods for comparison, on log-mel columns or on the table of summary features.

scikit-learn costs a second to import, so the methods that need it import it when they are fitted.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from classifier.core import filters, patches
from classifier.core.activations import softmax
from classifier.core.dataset import DatasetError, Examples
from classifier.core.patches import PatchParams
from classifier.core.summary import COLUMNS

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.intp]

FEATURES_FILE = "features_30_sec.csv"


@dataclass(frozen=True, slots=True)
class Sounds:
    """The clips, or pieces of clips, that a method is fitted on or predicts.

    Attributes
    ----------
    names
        Of the clip that each sound is, or is a piece of.
    examples
        Decibels of the log-mel columns, and targets.
    n_labels
        Number of genres.
    """

    names: Sequence[str]
    examples: Examples
    n_labels: int

    def __len__(self) -> int:
        return len(self.names)


class Method(Protocol):
    """A method of classification; the settings, the sounds given to `fit` and the seed decide its outputs."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """All parameters that change a fit, as JSON types."""

    def fit(self, train: Sounds, *, seed: int) -> None:
        """Learn from sounds with targets."""

    def predict_proba(self, sounds: Sounds) -> FloatArray:
        """(n, n_labels) probabilities, rows summing to 1."""


class GaussianKnn:
    """One Gaussian of MFCCs per track, symmetric Kullback-Leibler divergence, majority of the nearest tracks.

    Mandel and Ellis, Song-level features and support vector machines for music classification (ISMIR 2005),
    with the nearest neighbours of Logan and Salomon (2001).

    Parameters
    ----------
    k
        Neighbours that vote; of genres with equally many, the one with the nearest neighbour wins.
    n_mfcc
        Coefficients from the zeroth on.
    """

    def __init__(self, *, k: int = 7, n_mfcc: int = 13) -> None:
        self.settings: Mapping[str, Any] = {"k": k, "n_mfcc": n_mfcc}
        self._k = k
        self._n_mfcc = n_mfcc

    def fit(self, train: Sounds, *, seed: int) -> None:
        self._known = gaussians(train.examples.db, self._n_mfcc)
        self._targets = train.examples.targets

    def predict_proba(self, sounds: Sounds) -> FloatArray:
        distances = symmetric_kl(gaussians(sounds.examples.db, self._n_mfcc), self._known)
        return vote(distances, self._targets, k=self._k, n_labels=sounds.n_labels)


@dataclass(frozen=True, slots=True)
class Gaussians:
    """(n, d) means, (n, d, d) covariances and their inverses."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    precision: NDArray[np.float64]


def gaussians(db: Sequence[FloatArray], n_mfcc: int) -> Gaussians:
    """Fit one Gaussian to the MFCCs of each track.

    Parameters
    ----------
    db
        (n_mels, n_columns) decibels per track.
    """
    means, covariances = [], []
    for columns in db:
        mfcc = filters.dct(n_mfcc, columns.shape[0]).astype(np.float64) @ columns
        means.append(mfcc.mean(axis=1))
        # A steady sound has a singular covariance; a hundredth of a decibel is inaudible.
        covariances.append(np.cov(mfcc) + 1e-4 * np.eye(n_mfcc))
    covariance = np.stack(covariances)
    return Gaussians(np.stack(means), covariance, np.asarray(np.linalg.inv(covariance), dtype=np.float64))


def symmetric_kl(one: Gaussians, other: Gaussians) -> NDArray[np.float64]:
    """(n, m) symmetric Kullback-Leibler divergences KL(p, q) + KL(q, p), all pairs by matrix products.

    The log determinants cancel: ``tr(S1 P2 + S2 P1) / 2 - d + (m1 - m2)' (P1 + P2) (m1 - m2) / 2``.
    """
    d = one.mean.shape[1]

    def flat(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
        return matrices.reshape(len(matrices), -1)

    def half(p: Gaussians, q: Gaussians) -> NDArray[np.float64]:
        """(len(q), len(p)): tr(S_q P_p) + (m_p - m_q)' P_p (m_p - m_q)."""
        weighted = np.einsum("pij,pj->pi", p.precision, p.mean)
        second_moment = q.covariance + q.mean[:, :, None] * q.mean[:, None, :]
        own = np.einsum("pi,pi->p", weighted, p.mean)
        return np.asarray(flat(second_moment) @ flat(p.precision).T - 2 * q.mean @ weighted.T + own)

    return np.asarray(0.5 * (half(other, one) + half(one, other).T) - d)


def vote(distances: NDArray[np.float64], targets: IntArray, *, k: int, n_labels: int) -> FloatArray:
    """(n, n_labels) shares of the `k` nearest, with half a vote spread over all genres.

    The nearest of all weighs a little more, so that it decides between genres with equally many.
    """
    k = min(k, distances.shape[1])
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
    weights = 1.0 + 0.1 / np.arange(1, k + 1) / k
    shares = np.full((len(distances), n_labels), 0.5 / n_labels)
    np.add.at(shares, (np.arange(len(distances))[:, None], targets[nearest]), weights)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


class StatisticsSvm:
    """A support vector machine on how each mel band behaves over time, decisions averaged over windows.

    Parameters
    ----------
    columns, hop
        Width of a window and the largest distance between two, in columns; a shorter sound is one window.
    C
        Penalty of the margin; the kernel is Gaussian.
    """

    def __init__(self, *, columns: int = 64, hop: int = 64, C: float = 3.0) -> None:
        self.settings: Mapping[str, Any] = {"columns": columns, "hop": hop, "C": C}
        self._cut = PatchParams(n_columns=columns, hop_columns=hop)
        self._C = C

    def fit(self, train: Sounds, *, seed: int) -> None:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        rows, counts = self._windows(train)
        self._model = make_pipeline(
            StandardScaler(), SVC(C=self._C, cache_size=500, decision_function_shape="ovr")
        )
        self._model.fit(rows, np.repeat(train.examples.targets, counts))

    def predict_proba(self, sounds: Sounds) -> FloatArray:
        rows, counts = self._windows(sounds)
        decisions = self._model.decision_function(rows)
        ends = np.cumsum(counts)
        means = [part.mean(axis=0) for part in np.split(decisions, ends[:-1])]
        scores = np.full((len(sounds), sounds.n_labels), -np.inf)
        scores[:, self._model.classes_] = means
        return softmax(scores)

    def _windows(self, sounds: Sounds) -> tuple[FloatArray, list[int]]:
        rows, counts = [], []
        for db in sounds.examples.db:
            starts = patches.patch_starts(db.shape[1], self._cut)
            rows += [band_statistics(db[:, start : start + self._cut.n_columns]) for start in starts]
            counts.append(len(starts))
        return np.stack(rows), counts


def band_statistics(db: FloatArray) -> FloatArray:
    """(3 n_mels,) mean, deviation and mean absolute change of each band; gain changes nothing.

    Parameters
    ----------
    db
        (n_mels, n_columns) decibels, of which means are taken relative to their own mean.
    """
    mean = db.mean(axis=1)
    return np.concatenate([mean - mean.mean(), db.std(axis=1), np.abs(np.diff(db, axis=1)).mean(axis=1)])


class FeatureMlp:
    """A small fully connected network on summary features, as in countless student projects.

    Parameters
    ----------
    features
        Gives the (n, n_features) features of sounds.
    n_features
        How many; said in the settings.
    hidden
        Units of each hidden layer.
    alpha
        L2 penalty.
    epochs
        Passes over the training sounds.
    """

    def __init__(
        self,
        *,
        features: Callable[[Sounds], FloatArray],
        n_features: int,
        hidden: tuple[int, ...] = (256, 128, 64),
        alpha: float = 1e-2,
        epochs: int = 60,
    ) -> None:
        self.settings: Mapping[str, Any] = {
            "features": n_features,
            "hidden": list(hidden),
            "alpha": alpha,
            "epochs": epochs,
        }
        self._features = features
        self._hidden = hidden
        self._alpha = alpha
        self._epochs = epochs

    def fit(self, train: Sounds, *, seed: int) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        network = MLPClassifier(
            self._hidden,
            alpha=self._alpha,
            batch_size=min(32, len(train)),
            max_iter=self._epochs,
            # Never ends before its time: a stop by the loss would be a choice made on the training part.
            n_iter_no_change=self._epochs,
            random_state=seed,
        )
        self._model = make_pipeline(StandardScaler(), network)
        with warnings.catch_warnings():
            # It is to stop after so many epochs, converged or not.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.fit(self._features(train), train.examples.targets)

    def predict_proba(self, sounds: Sounds) -> FloatArray:
        probabilities = np.zeros((len(sounds), sounds.n_labels))
        probabilities[:, self._model.classes_] = self._model.predict_proba(self._features(sounds))
        return probabilities


def read_features(folder: Path) -> Mapping[str, FloatArray]:
    """The 57 features of each clip, by name, from the table people know.

    Raises
    ------
    DatasetError
        The table is missing, lacks a column or holds what is not a number.
    """
    path = folder / FEATURES_FILE
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {
                row["filename"].removesuffix(".wav"): np.array([float(row[name]) for name in COLUMNS])
                for row in csv.DictReader(file)
            }
    except (OSError, KeyError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from error


def column_features(db: FloatArray) -> FloatArray:
    """Those of the 57 features that log-mel columns can give: 48.

    Means and variances of the level, of the spectral centroid, bandwidth and rolloff, and of 20 MFCCs. Zero
    crossings, chroma, harmonic and percussive parts and tempo need the sound itself.

    Parameters
    ----------
    db
        (n_mels, n_columns) decibels.
    """
    params = PatchParams()
    frequencies = filters.mel_frequencies(db.shape[0] + 2, params.sample_rate)[1:-1]
    power = np.power(10.0, np.asarray(db, dtype=np.float64) / 10)
    # A band's mean power is its density; a wide one holds more.
    energy = power * np.gradient(frequencies)[:, None]
    share = energy / energy.sum(axis=0)
    centroid = frequencies @ share
    bandwidth = np.sqrt((np.square(frequencies[:, None] - centroid) * share).sum(axis=0))
    rolloff = frequencies[(np.cumsum(share, axis=0) < 0.85).sum(axis=0).clip(max=len(frequencies) - 1)]
    mfcc = filters.dct(20, db.shape[0]) @ db
    rows = np.vstack([np.sqrt(energy.sum(axis=0)), centroid, bandwidth, rolloff, mfcc])
    return np.concatenate([rows.mean(axis=1), rows.var(axis=1)])
