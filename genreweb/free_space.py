"""Whether there is room for another file, with a reserve that the site itself needs."""

from __future__ import annotations

import shutil
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage


def has_room(size: int = 0) -> bool:
    """Tell whether `size` bytes fit into the storage without touching the reserve.

    A database or a log on a full disk stops a whole site, so uploads are refused earlier. What a bucket holds
    is not asked.
    """
    location = getattr(default_storage, "location", None)
    if not isinstance(location, str):
        return True
    place = Path(location)
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free - size >= settings.STORAGE_RESERVE_BYTES
