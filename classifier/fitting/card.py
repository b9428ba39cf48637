"""The model card: what a release is, in words a person can judge it by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _interval(interval: Mapping[str, float]) -> str:
    return f"{_percent(interval['value'])} ({_percent(interval['low'])} to {_percent(interval['high'])})"


def model_card(metadata: Mapping[str, Any]) -> str:
    """Markdown text of the model card (after Mitchell et al., Model Cards for Model Reporting, 2019).

    Parameters
    ----------
    metadata
        Of a release, complete.
    """
    test, valid, calibration = metadata["test"], metadata["validation"], metadata["calibration"]
    recall = "\n".join(f"| {label} | {_percent(value)} |" for label, value in test["recall"].items())
    channels = "\n".join(
        f"| {name} | {_percent(row['accuracy'])} | {_percent(row['confident'])} "
        f"| {_percent(row['confident_accuracy'])} |"
        for name, row in metadata["test_channels"].items()
    )
    mean_channel = sum(row["accuracy"] for row in metadata["test_channels"].values()) / len(
        metadata["test_channels"]
    )
    return f"""# Model card: {metadata["name"]}

A residual convolutional network with {metadata["parameters"]:,} parameters that names the genre of a piece
of music, one of {", ".join(metadata["labels"])}. Made on {metadata["date"]} by `manage.py train_release`
with seed {metadata["seed"]}; `metadata.json` beside this card holds every setting and figure.

## What it hears

Log-mel spectrograms ({metadata["features"]["n_mels"]} bands of mono sound at
{metadata["features"]["sample_rate"]} Hz) in overlapping patches of about {
        metadata["patches"]["n_columns"] * 0.0775:.0f} s, each scaled relative to its own {
        metadata["patches"]["reference_percentile"]:.0f}th
percentile. It does not hear stereo, loudness or lyrics, and tempo only roughly. The verdict on a track is
the mean of the logits of its patches, divided by a temperature of {calibration["temperature"]:.2f}.

## What it was trained on

{metadata["trained_on"]["set"]}: {metadata["trained_on"]["tracks"]} clips of 30 s. No artist of the train
part occurs in the validation or test part. Nothing else was used: no pre-trained network, no other music.
Crops pass through random simulated channels (equaliser, small loudspeaker, room, noise, babble, knocks,
codec); synthetic noise, tones, clicks and speech-like sounds teach it what is not music.

## How good it is

Settings were chosen on the validation part ({valid["n"]} clips: {_interval(valid["accuracy"])}), on which
temperature and thresholds were fitted too. The test part ({test["n"]} clips) was measured once. In brackets:
95 % bootstrap intervals over clips.

| on the test part | |
| --- | --- |
| accuracy | {_interval(test["accuracy"])} |
| macro F1 | {_interval(test["macro_f1"])} |
| expected calibration error | {test["calibration_error"]:.3f} |
| accuracy of the surest 60 % of answers | {_percent(metadata["test_accuracy_at_60_percent_coverage"])} |

| genre | found on the test part |
| --- | --- |
{recall}

A verdict with a confidence under {_percent(calibration["unsure_below"])} is marked unsure. Each simulated
channel alone, on the test part; the network was trained with channels of the same kinds, so real ones will
be harder:

| channel | accuracy | answered with confidence | right among those |
| --- | --- | --- | --- |
{channels}

Mean over these channels: {_percent(mean_channel)}. Of held-out synthetic sounds that are not music,
{_percent(metadata["outliers_refused"])} are refused as such.

## Limits and biases

- Ten genres, as one person collected them around the year 2000. Most music of the world is none of them, and
the
  network will still name the nearest.
- 30 to 50 clips per genre teach it. Some genres are few artists: 35 of GTZAN's 100 reggae clips are Bob
Marley's, so
  reggae means his sound more than it should; blues and metal lean on a handful of artists too.
- Rock, country, blues and disco are often confused, by people as well; read the bars, not only the name.
- Speech and everyday sounds are known to it only from synthetic stand-ins; some will be given a genre.
- Recordings of music through loudspeakers and phones are simulated in training, not real.
- Figures on 290 clips are uncertain by about five points either way.
"""
