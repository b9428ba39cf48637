"""The protocol *non-music*: read speech, and files of everyday sounds that the user has."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from classifier.core.analysis import classify
from classifier.core.audio import AudioError
from classifier.core.dataset import DatasetError
from classifier.core.inference import Classifier, Prediction
from classifier.fitting.evaluation.outside import speech
from classifier.fitting.evaluation.outside.figures import counted_share, is_sure

SUFFIXES: Final = frozenset({".wav", ".ogg", ".oga", ".opus", ".flac", ".mp3", ".m4a", ".aiff", ".aif"})


def measure(
    classifier: Classifier, folder: Path | None, on_progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Measure a version on read speech, where espeak-ng is installed, and on the sounds of a folder.

    Raises
    ------
    DatasetError
        There is neither, or no file of the folder can be read.
    """
    content: dict[str, Any] = {}
    if speech.is_installed():
        content["speech"] = _speech(classifier, on_progress)
    if folder is not None:
        content["sounds"] = _sounds(classifier, folder, on_progress)
    if not content:
        raise DatasetError("There is nothing to measure: install espeak-ng or name a folder of sounds.")
    return content


def _speech(classifier: Classifier, on_progress: Callable[[int, int], None]) -> dict[str, Any]:
    predictions, total = [], len(speech.utterances())
    with tempfile.TemporaryDirectory(prefix="genreweb-speech-") as scratch:
        for place, (_, path) in enumerate(speech.spoken(Path(scratch))):
            on_progress(place, total)
            with path.open("rb") as file:
                predictions.append(classify(file, classifier=classifier))
    if not predictions:
        raise DatasetError("espeak-ng is installed, but spoke none of the texts.")
    on_progress(total, total)
    return _figures(predictions) | {"languages": len(speech.TEXTS), "voices": len(speech.SPEAKERS)}


def _sounds(classifier: Classifier, folder: Path, on_progress: Callable[[int, int], None]) -> dict[str, Any]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    predictions, refused = [], 0
    for place, path in enumerate(paths):
        on_progress(place, len(paths))
        try:
            with path.open("rb") as file:
                predictions.append(classify(file, classifier=classifier))
        except AudioError:
            # Such as those that are too short: a site refuses them as well.
            refused += 1
        except OSError as error:
            raise DatasetError(f"{path} cannot be read: {error}.") from error
    if not predictions:
        raise DatasetError(f"There is no sound in {folder} that can be analysed.")
    on_progress(len(paths), len(paths))
    return _figures(predictions) | {"refused": refused}


def _figures(predictions: Sequence[Prediction]) -> dict[str, Any]:
    n = len(predictions)
    sure = Counter(str(p.label) for p in predictions if is_sure(p))
    return {
        "n": n,
        "sure": counted_share(sum(sure.values()), n),
        "no_music": counted_share(sum(not p.music for p in predictions), n),
        "sure_of": dict(sure.most_common()),
    }
