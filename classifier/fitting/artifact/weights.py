"""Weights of Keras networks in compressed HDF5 files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORTH_PACKING = 1000


def round_weights(model: Any) -> None:
    """Round the weights to half precision, so that `save_weights` needs half the space for them."""
    model.set_weights([np.asarray(w).astype(np.float16).astype(np.float32) for w in model.get_weights()])


def save_weights(model: Any, path: Path) -> None:
    """Save weights as Keras does and as Keras loads them, but compressed, and without loss.

    Arrays whose values are all of half precision, see `round_weights`, are stored in it.
    """
    import h5py  # type: ignore[import-untyped]

    plain = path.with_name(f".{path.name}")
    model.save_weights(plain)
    with h5py.File(plain) as source, h5py.File(path, "w", libver="latest") as target:

        def copy(name: str, thing: Any) -> None:
            if isinstance(thing, h5py.Group):
                made = target.require_group(name)
            else:
                values = _smallest(thing[()])
                packed = {"compression": "gzip", "shuffle": True} if values.size > _WORTH_PACKING else {}
                made = target.create_dataset(name, data=values, **packed)
            made.attrs.update(thing.attrs)

        source.visititems(copy)
    plain.unlink()


def _smallest(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype != np.float32:
        return values
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    return half if np.array_equal(half.astype(np.float32), values) else values
