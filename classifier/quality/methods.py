"""The version in service beside other methods, protocol by protocol, prepared for pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, ngettext

from classifier.models import ModelVersion
from classifier.quality.tables import evaluation_of

METHODS: Final[Mapping[str, str | Promise]] = {
    "release": gettext_lazy("This classifier, as it answers here"),
    "residual_cnns": gettext_lazy("This classifier's networks, trained anew and averaged as here"),
    "residual_cnn": gettext_lazy("This classifier's network on spectrograms, trained anew"),
    "descriptor_mlp": gettext_lazy("This classifier's network on descriptors, trained anew"),
    "statistics_svm": gettext_lazy("Support vector machine on spectrogram statistics"),
    "efficientnet_b0": gettext_lazy("EfficientNet-B0 on the spectrogram"),
    "mfcc_cnn": gettext_lazy("Small convolutional network on MFCCs"),
    "feature_mlp": gettext_lazy("Small network on summary features"),
    "gaussian_knn": gettext_lazy("Nearest neighbours by MFCC distributions"),
}

_OURS: Final = frozenset({"release", "residual_cnns", "residual_cnn", "descriptor_mlp"})

TITLES: Final[Mapping[str, str | Promise]] = {
    "filtered": gettext_lazy("Artists it never heard, faults removed"),
    "artist": gettext_lazy("Artists it never heard, all clips"),
    "track": gettext_lazy("Songs it never heard"),
    "segment": gettext_lazy("Other pieces of songs it learnt"),
}

EXPLANATIONS: Final[Mapping[str, str | Promise]] = {
    "filtered": gettext_lazy(
        "The fairest of the four. No artist of the test clips was learnt, and mislabelled, distorted and "
        "repeated recordings are left out: Kereliuk, Sturm and Larsen's partition of 2015."
    ),
    "artist": gettext_lazy(
        "All clips whose artist is known are divided into five parts that share no artist. Each part is "
        "named by a method that learnt from the other four. Faulty and mislabelled clips are in."
    ),
    "track": gettext_lazy(
        "The clips are divided into ten parts. Copies of one recording stay together, but other songs of the "
        "same artist, even of the same album, are learnt: figures are higher than for music that is new."
    ),
    "segment": gettext_lazy(
        "This leaks. Clips are cut into pieces of three seconds, which are shuffled: nearly every test piece "
        "has neighbours from the same song among those learnt. Most demos that claim around 90 % were "
        "measured like this. It tells how well songs are recognised again, not genres; even the simplest "
        "method looks excellent."
    ),
}

NOT_APPLICABLE: Final = gettext_lazy("What answers here may have learnt clips that would be asked for.")


@dataclass(frozen=True, slots=True)
class Bar:
    """The least figure that this project asks of a method under a protocol; figures are shares."""

    method: str
    figure: str
    least: float
    target: float | None = None
    seeds: int = 1


BARS: Final[Mapping[str, Sequence[Bar]]] = {
    "filtered": (
        Bar("residual_cnn", "accuracy", 0.64, seeds=5),
        Bar("release", "accuracy", 0.67, target=0.72),
        Bar("release", "surest", 0.80),
    ),
    "track": (Bar("residual_cnns", "accuracy", 0.86, target=0.90),),
    "segment": (Bar("residual_cnns", "accuracy", 0.94, target=0.97),),
}


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One method under one protocol; figures in percent, `calibration_error` as a share."""

    name: str
    title: str
    ours: bool
    accuracy: float
    low: float
    high: float
    deviation: float | None
    macro_f1: float
    calibration_error: float
    surest: float
    extent: str


@dataclass(frozen=True, slots=True)
class Goal:
    """A bar in words, and whether it was reached: None while it was not measured in full."""

    words: str
    reached: bool | None
    remark: str


@dataclass(frozen=True, slots=True)
class ProtocolTable:
    """The methods under one protocol, best first, and the goals set there."""

    name: str
    title: str
    words: str
    leaky: bool
    rows: list[MethodRow]
    goals: list[Goal]
    not_applicable: str


def comparison_of(version: ModelVersion) -> list[ProtocolTable]:
    """Read the table that a version came with; empty where it has none."""
    content = evaluation_of(version)
    if content is None:
        return []
    tables = []
    for protocol in TITLES:
        found = {row["method"]: row for row in content["results"] if row["protocol"] == protocol}
        rows = [_row(row) for name, row in found.items() if name in METHODS]
        if not rows:
            continue
        refused = any(gap["protocol"] == protocol and gap["method"] == "release" for gap in content["unfit"])
        tables.append(
            ProtocolTable(
                name=protocol,
                title=str(TITLES[protocol]),
                words=str(EXPLANATIONS[protocol]),
                leaky=protocol == "segment",
                rows=sorted(rows, key=lambda row: -row.accuracy),
                goals=[_goal(bar, found.get(bar.method)) for bar in BARS.get(protocol, ())],
                not_applicable=str(NOT_APPLICABLE) if refused else "",
            )
        )
    return tables


def _row(row: Mapping[str, Any]) -> MethodRow:
    interval = row["accuracy"]
    return MethodRow(
        name=row["method"],
        title=str(METHODS[row["method"]]),
        ours=row["method"] in _OURS,
        accuracy=100 * interval["value"],
        low=100 * interval["low"],
        high=100 * interval["high"],
        deviation=None if row["deviation"] is None else 100 * row["deviation"],
        macro_f1=100 * row["macro_f1"]["value"],
        calibration_error=row["calibration_error"],
        surest=100 * row["coverage"]["0.6"],
        extent=_extent(row),
    )


def _extent(row: Mapping[str, Any]) -> str:
    """What the figures rest on, as "999 clips, 4 of 10 parts, 3 seeds"."""
    n, seeds = row["n"], len(row["seeds"])
    parts = [
        ngettext("%(n)d piece", "%(n)d pieces", n) % {"n": n}
        if row["protocol"] == "segment"
        else ngettext("%(n)d clip", "%(n)d clips", n) % {"n": n}
    ]
    if row["n_folds"] > 1:
        parts.append(
            gettext("%(done)d of %(all)d parts") % {"done": len(row["folds"]), "all": row["n_folds"]}
        )
    if seeds > 1:
        parts.append(ngettext("%(n)d seed", "%(n)d seeds", seeds) % {"n": seeds})
    if networks := row["settings"].get("networks"):
        parts.append(ngettext("%(n)d network", "%(n)d networks", networks) % {"n": networks})
    if epochs := row["settings"].get("epochs"):
        parts.append(ngettext("%(n)d epoch", "%(n)d epochs", epochs) % {"n": epochs})
    if features := row["settings"].get("features"):
        parts.append(ngettext("%(n)d feature", "%(n)d features", features) % {"n": features})
    return ", ".join(parts)


def _goal(bar: Bar, row: Mapping[str, Any] | None) -> Goal:
    names = {
        "method": str(METHODS[bar.method]),
        "least": round(100 * bar.least),
        "target": round(100 * (bar.target or 0)),
        "seeds": bar.seeds,
    }
    if bar.figure == "surest":
        words = gettext("%(method)s: at least %(least)d %% right among the surest 60 %%") % names
    elif bar.seeds > 1:
        words = gettext("%(method)s: at least %(least)d %% as the mean of %(seeds)d seeds") % names
    else:
        words = gettext("%(method)s: at least %(least)d %%, hoped for: %(target)d %%") % names
    if row is None:
        return Goal(words, None, gettext("not measured yet"))
    value = row["coverage"]["0.6"] if bar.figure == "surest" else row["accuracy"]["value"]
    figure = f"{100 * value:.1f}\u202f%"
    if len(row["folds"]) < row["n_folds"]:
        return Goal(
            words,
            None,
            gettext("%(figure)s on %(done)d of %(all)d parts so far")
            % {"figure": figure, "done": len(row["folds"]), "all": row["n_folds"]},
        )
    if len(row["seeds"]) < bar.seeds:
        return Goal(
            words,
            None,
            ngettext(
                "%(figure)s from %(n)d seed so far", "%(figure)s from %(n)d seeds so far", len(row["seeds"])
            )
            % {"figure": figure, "n": len(row["seeds"])},
        )
    return Goal(words, value >= bar.least, figure)
