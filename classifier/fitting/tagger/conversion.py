"""Networks of the tagger written as LiteRT files: the work of an installation."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from classifier.core.tagger import FORMAT_VERSION, METADATA_FILE, LiteRtTagger, model_file
from classifier.core.tagger_input import N_MELS, PATCH_FRAMES
from classifier.fitting.tagger import musicnn, vgg
from classifier.fitting.tagger.checkpoints import CHECKPOINTS, Arrays, read_checkpoint

EXPORT_TOLERANCE: Final = 1e-4


class ConversionError(Exception):
    """The converted network does not give what the rebuilt one gives."""


def build(name: str, arrays: Arrays) -> Any:
    """Rebuild a network of `CHECKPOINTS` in Keras from its arrays."""
    checkpoint = CHECKPOINTS[name]
    if checkpoint.pools:
        return vgg.build(arrays, constant=checkpoint.constant, pools=checkpoint.pools)
    return musicnn.build(arrays, constant=checkpoint.constant)


def convert(model: Any, path: Path) -> None:
    """Write a network as a LiteRT file that takes one patch at a time.

    Raises
    ------
    ConversionError
        The file's outputs differ from the network's by more than `EXPORT_TOLERANCE`, relative to the
        largest where that exceeds 1.
    """
    import keras

    signature = keras.InputSpec(shape=(1, PATCH_FRAMES, N_MELS, 1), dtype="float32", name="log_mel")
    model.export(path, format="litert", input_signature=[signature], verbose=False)
    inputs = np.random.default_rng(0).uniform(0, 4, (3, PATCH_FRAMES, N_MELS)).astype(np.float32)
    got = LiteRtTagger(path.read_bytes()).run(inputs)
    expected = model.predict(inputs[..., np.newaxis], verbose=0)
    for key in expected:
        scale = max(1.0, float(np.abs(expected[key]).max()))
        difference = float(np.abs(expected[key] - getattr(got, key)).max()) / scale
        if not difference <= EXPORT_TOLERANCE:
            raise ConversionError(f"The exported {key} differ from the network's by {difference:.1e}.")


def write(wheel: Path, out: Path) -> Path:
    """Convert every tagger of the unpacked wheel into a folder, which is whole or not there.

    Raises
    ------
    CheckpointError
        The wheel does not hold what is expected.
    ConversionError
        LiteRT and Keras disagree.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        networks = {}
        for name, checkpoint in CHECKPOINTS.items():
            path = work / model_file(name)
            convert(build(name, read_checkpoint(wheel, name)), path)
            networks[name] = {
                "checkpoint_sha256": checkpoint.digest,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "tags": list(checkpoint.tags),
            }
        metadata = {"format_version": FORMAT_VERSION, "networks": networks}
        (work / METADATA_FILE).write_text(json.dumps(metadata, indent=1) + "\n", encoding="utf-8")
        for licence in wheel.glob("musicnn-*.dist-info/LICENSE*"):
            shutil.copyfile(licence, work / licence.name)
        work.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        work.replace(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return out
