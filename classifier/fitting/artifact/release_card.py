"""The model card of a release."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from classifier.core.networks import member_count
from classifier.core.patches import PatchParams
from classifier.fitting.artifact.card_text import interval, percent
from classifier.fitting.artifact.outside_text import card_section

_TEMPLATE = Path(__file__).with_name("release_card.md")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


_MLP_WORDS = """
The other one reads the same descriptors. It met the same few copies of every stretch again and again,
clean and through channels, and knows better than the first what the songs it learnt, and others of their
albums, sound like."""


def _networks(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """How many networks a release joins, and which, in words."""
    members, has_mlp = member_count(metadata), "descriptor_mlp" in metadata
    count = members + has_mlp
    return {
        "networks": count,
        "networks_noun": "network" if count == 1 else "networks",
        "members_words": "Each has"
        if members > 1 and not has_mlp
        else "The first has"
        if has_mlp
        else "It has",
        "mlp_words": _MLP_WORDS if has_mlp else "",
    }


_NOTHING_ELSE = """Nothing else was used: no pre-trained
network, no other music."""
_TAGGER_TOO = """The network saw no other music. Its verdict is joined
with a pre-trained tagger, MSD_musicnn and MTT_musicnn (Pons and Serra, 2019), which was trained on other
music, and with a linear layer on the tagger's output that was fitted on the sound of the same clips.
Recordings in which the music is hard to hear are given to MSD_vgg and MTT_vgg too, which were trained as
those were, and to a layer that was fitted on simulated recordings of the same clips."""
_TAGGER_RIGHTS = """
The tagger's weights are not part of this release: they come from the package musicnn
(ISC licence) when the platform is installed, and were trained by others on the Million Song Dataset and
MagnaTagATune."""


def model_card(metadata: Mapping[str, Any], *, outside: Mapping[str, Any] | None = None) -> str:
    """Markdown text of the model card (after Mitchell et al., Model Cards for Model Reporting, 2019).

    Parameters
    ----------
    metadata
        Of a release, complete.
    outside
        Figures outside the training set, as `classifier.releases.outside` reads them.
    """
    test, valid, calibration = metadata["test"], metadata["validation"], metadata["calibration"]
    patches, channels = PatchParams(**metadata["patches"]), metadata["test_channels"]
    robustness = metadata["robustness"]
    recall: Mapping[str, float] = test["recall"]
    return _TEMPLATE.read_text(encoding="utf-8").format(
        name=metadata["name"],
        parameters=metadata["parameters"],
        labels=", ".join(metadata["labels"]),
        date=metadata["date"],
        seed=metadata["seed"],
        n_mels=patches.n_mels,
        sample_rate=patches.sample_rate,
        patch_seconds=patches.n_columns * patches.column_seconds,
        percentile=patches.reference_percentile,
        temperature=calibration["temperature"],
        set=metadata["trained_on"]["set"],
        tracks=metadata["trained_on"]["tracks"],
        per_genre=round(metadata["trained_on"]["tracks"] / len(metadata["labels"])),
        **_networks(metadata),
        n_valid=valid["n"],
        valid_accuracy=interval(valid["accuracy"]),
        n_test=test["n"],
        accuracy=interval(test["accuracy"]),
        macro_f1=interval(test["macro_f1"]),
        calibration_error=test["calibration_error"],
        surest=percent(metadata["test_accuracy_at_60_percent_coverage"]),
        recall="\n".join(_row(label, percent(value)) for label, value in recall.items()),
        weakest=" and ".join(sorted(recall, key=recall.__getitem__)[:2]),
        unsure_below=percent(calibration["unsure_below"]),
        channels="\n".join(
            _row(name, *(percent(row[key]) for key in ("accuracy", "confident", "confident_accuracy")))
            for name, row in channels.items()
        ),
        n_channels=len(robustness["channels"]),
        robustness=percent(robustness["mean"]),
        robust_confident=percent(robustness["confident"]),
        robust_right=percent(robustness["confident_accuracy"]),
        worst=robustness["worst"]["channel"],
        worst_accuracy=percent(robustness["worst"]["accuracy"]),
        agreement=percent(robustness["agreement"]),
        agreement_or_unsure=percent(robustness["agreement_or_unsure"]),
        refused=percent(metadata["outliers_refused"]),
        nothing_else=_TAGGER_TOO if metadata.get("ensemble") else _NOTHING_ELSE,
        outside=card_section(outside),
        tagger_rights=_TAGGER_RIGHTS if metadata.get("ensemble") else "",
    )
