"""Fits a small network on two devices made of one processor, for ``python -m``: FOLDER for what comes of it.

Devices can be made only before the backend starts, so this is a process of its own. `KERAS_BACKEND` says
which one.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"


def main(folder: Path) -> None:
    import keras

    from classifier.core.litert import Network
    from classifier.core.patches import normalise
    from classifier.fitting.artifact import keras_files
    from classifier.fitting.loop import devices
    from classifier.fitting.loop.epochs import NetworkFit, Part, fit_together
    from classifier.fitting.loop.reports import EpochReport
    from classifier.fitting.loop.validation import Validation
    from classifier.tests import test_training as task

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        half = tf.config.LogicalDeviceConfiguration()
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [half, half])
    reports: list[EpochReport] = []
    with devices.shared() as share:
        model = task.make_model()
        stops = iter([False, False, True])
        one = NetworkFit(
            model,
            task.make_feed(sounds=[task.examples(1).db[0]]),
            task.FIT,
            checkpoint=folder / "checkpoint",
            identity="two",
            should_stop=lambda: next(stops, False),
            share=share,
        )
        # Stopped between two batches of the first epoch, and then gone on with: a network is traced for both
        # devices once.
        stopped = not one.run_epoch()
        stopped_at, stopped_after = one.done, sorted(path.name for path in (folder / "checkpoint").iterdir())
        valid = Validation(task.examples(6, seed=5), task.PATCHES)
        done = fit_together([Part(one, 1.0, valid)], epochs=task.FIT.epochs, on_epoch=reports.append)
    shape = {"patches": asdict(task.PATCHES), "network": asdict(task.SHAPE)}
    metadata = {"labels": ["low", "high"], **shape}
    keras_files.write(model, folder, metadata)
    inputs = normalise(np.stack([db[:, :32] for db in task.examples(6, seed=6).db]), task.PATCHES)
    output = Network((folder / "model.tflite").read_bytes()).run(inputs.astype(np.float32))
    expected = np.asarray(model(inputs[..., None], training=False)["logits"])
    found = {
        "backend": keras.backend.backend(),
        "devices": devices.names(),
        "share": share,
        "done": done,
        "stopped": stopped,
        "stopped_at": stopped_at,
        "stopped_after": stopped_after,
        "reports": [asdict(report) for report in reports],
        "right": (output.logits.argmax(axis=1) == np.arange(6) % 2).tolist(),
        "difference": float(np.abs(output.logits - expected).max()),
        "files": sorted(path.name for path in folder.iterdir() if path.is_file()),
    }
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
