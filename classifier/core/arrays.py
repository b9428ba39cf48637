"""Reading NumPy archives that may come from another site: content and shapes are checked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.core.errors import ReleaseError

MOST_ARRAY_BYTES = 256 * 1024**2


def arrays_from(content: bytes, *, what: str) -> dict[str, NDArray[Any]]:
    """Read the arrays of an ``.npz`` file that anybody may have made.

    Only numbers and texts are accepted, no Python objects, all numbers must be finite, and what would unpack
    to more than `MOST_ARRAY_BYTES` is not unpacked.

    Raises
    ------
    ReleaseError
        The file is something else; the message begins with `what`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_ARRAY_BYTES:
                raise ReleaseError(f"{what} would need too much memory.")
        with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
            arrays = {name: np.asarray(loaded[name]) for name in loaded.files}
    except ReleaseError:
        raise
    except (OSError, ValueError, EOFError, KeyError, TypeError, MemoryError, zipfile.BadZipFile) as error:
        raise ReleaseError(f"{what} cannot be read: {error}.") from error
    except (RuntimeError, NotImplementedError) as error:  # an encrypted member, an unknown compression
        raise ReleaseError(f"{what} cannot be read: {error}.") from error
    for name, array in arrays.items():
        if array.dtype.kind not in "fiuU":
            raise ReleaseError(f"{what} hold something other than numbers: {name}.")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ReleaseError(f"{what} hold numbers that are none: {name}.")
    return arrays


def shaped(
    arrays: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int | str, ...]], *, what: str
) -> dict[str, int]:
    """Check that arrays are there and fit together.

    Parameters
    ----------
    shapes
        Of each array: sizes, or names of sizes that must be the same wherever they occur.

    Returns
    -------
    dict
        The named sizes.

    Raises
    ------
    ReleaseError
        An array is missing or has another shape; the message begins with `what`.
    """
    sizes: dict[str, int] = {}
    for name, shape in shapes.items():
        if name not in arrays:
            raise ReleaseError(f"{what} lack {name}.")
        found = arrays[name].shape
        wanted = tuple(
            sizes.setdefault(side, size) if isinstance(side, str) else side
            for side, size in zip(shape, found, strict=False)
        )
        if len(found) != len(shape) or found != wanted:
            raise ReleaseError(f"{what} hold {name} of shape {found}, which does not fit.")
    return sizes
