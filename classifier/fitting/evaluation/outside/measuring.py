"""Measuring a release folder under the protocols of this package, and writing what was found into it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from classifier.core import tagger as taggers
from classifier.core.artifact import read_metadata
from classifier.core.dataset import DatasetError
from classifier.core.inference import Classifier
from classifier.core.tagger import Tagger
from classifier.fitting.artifact.metadata import CARD_FILE
from classifier.fitting.artifact.release_card import model_card
from classifier.fitting.evaluation.outside import held_out, non_music, recordings, songs
from classifier.fitting.evaluation.text import markdown
from classifier.releases import evaluation, outside
from classifier.releases.evaluation import MARKDOWN_FILE
from classifier.releases.outside import FORMAT_VERSION, JSON_FILE

MODERN: Final = "modern"
MICROPHONE: Final = "microphone"
NON_MUSIC: Final = "non-music"
FILTERED_SOUND: Final = "filtered-sound"
PROTOCOLS: Final = (MODERN, MICROPHONE, NON_MUSIC, FILTERED_SOUND)

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the data of the protocols lie.

    Attributes
    ----------
    data
        Holds the folders ``modern``, ``mic`` and ``gtzan``, or is one of these.
    sounds
        Files of everyday sounds; None where there are none.
    """

    data: Path
    sounds: Path | None = None

    def folder(self, name: str) -> Path:
        """The folder of that name in `data`, beside it, or itself."""
        for folder in (self.data / name, self.data.resolve().parent / name):
            if folder.is_dir():
                return folder
        return self.data


def present(data: Path) -> list[str]:
    """The protocols whose data lie where `Sources` looks for them, and that are no look at the test part."""
    sources = Sources(data)
    found = {
        MODERN: (sources.folder("modern") / songs.FILE).exists(),
        MICROPHONE: any(sources.folder("mic").glob("*.at*s.flac")),
    }
    return [protocol for protocol, there in found.items() if there]


def measure(
    release: Path,
    sources: Sources,
    protocols: Sequence[str],
    *,
    again: bool = False,
    tagger: Tagger | None = None,
    on_progress: Report,
) -> dict[str, Any]:
    """Measure a release as it answers; write figures, evaluation text and card into its folder.

    Figures of other protocols stay if they are of the same release. How often the test part was looked at is
    counted, and a second look at the same release must be asked for.

    Parameters
    ----------
    again
        Look at the test part even though that was done.
    tagger
        The installed one where None.

    Raises
    ------
    DatasetError
        Data are missing or malformed, or the test part was looked at already.
    ReleaseError
        The release cannot be used.
    """
    tagger = tagger or taggers.installed()
    classifier = Classifier.load(release, tagger=tagger)
    metadata = classifier.metadata
    used = tagger.version if tagger and classifier.uses_tagger else None
    former = outside.read(release) or {}
    same = former.get("identity") == outside.identity_of(metadata) and former.get("tagger") == used
    parts = dict(former["parts"]) if same else {}
    if FILTERED_SOUND in protocols and FILTERED_SOUND in parts and not again:
        raise DatasetError(
            f"{classifier.name} was measured on the test clips that have sound. A second look must be asked "
            "for and is counted."
        )
    looks = former.get("test_looks", 0)
    for protocol in protocols:
        looks += protocol == FILTERED_SOUND
        part = _measured(protocol, classifier, sources, on_progress)
        parts[protocol] = {"date": datetime.now(UTC).date().isoformat(), **part}
    content = {
        "format_version": FORMAT_VERSION,
        "release": classifier.name,
        "identity": outside.identity_of(metadata),
        "sha256": metadata["sha256"],
        "head_sha256": (metadata.get("ensemble") or {}).get("head_sha256"),
        "tagger": used,
        "test_looks": looks,
        "parts": {protocol: parts[protocol] for protocol in PROTOCOLS if protocol in parts},
    }
    _put(release / JSON_FILE, json.dumps(content, indent=1, allow_nan=False) + "\n")
    write_texts(release)
    return content


def write_texts(release: Path) -> None:
    """Write the evaluation's text anew, and the model card where the folder is of a release."""
    metadata = read_metadata(release)
    found = outside.read_valid(release, metadata)
    _put(release / MARKDOWN_FILE, markdown(evaluation.read(release), metadata["name"], outside=found))
    if "outliers_refused" in metadata:
        _put(release / CARD_FILE, model_card(metadata, outside=found))


def _measured(
    protocol: str, classifier: Classifier, sources: Sources, on_progress: Report
) -> Mapping[str, Any]:
    def report(done: int, total: int) -> None:
        on_progress(protocol, done, total)

    match protocol:
        case "modern":
            return songs.measure(classifier, sources.folder("modern"), report)
        case "microphone":
            clean = sources.folder("gtzan") / "audio"
            return recordings.measure(classifier, sources.folder("mic"), clean, report)
        case "non-music":
            return non_music.measure(classifier, sources.sounds, report)
        case "filtered-sound":
            return held_out.measure(classifier, sources.folder("gtzan"), report)
    raise DatasetError(f"There is no protocol {protocol}.")


def _put(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
