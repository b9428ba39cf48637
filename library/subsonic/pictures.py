"""Pictures made smaller, as players ask for them: lists of albums show hundreds."""

from __future__ import annotations

import io
from typing import Final

from PIL import Image

_FORMATS: Final = ("WEBP", "JPEG")
"""What the site itself writes; every stored picture was encoded by it."""
_MOST_PIXELS: Final = 4_000_000
_QUALITY: Final = 85


def scaled(picture: bytes, side: int) -> tuple[bytes, str] | None:
    """Make a picture fit into a square.

    Parameters
    ----------
    picture : bytes
        As the site stores it.
    side : int
        Longest side in pixels, at least 1.

    Returns
    -------
    tuple of bytes and str, or None
        The picture in its own format and its media type; None where it is small enough, or is damaged.
    """
    try:
        with Image.open(io.BytesIO(picture), formats=_FORMATS) as image:
            if max(image.size) <= side or image.width * image.height > _MOST_PIXELS:
                return None
            image_format, media_type = str(image.format), Image.MIME[str(image.format)]
            image.draft("RGB", (side, side))
            small = image.convert("RGB")
        small.thumbnail((side, side))
        out = io.BytesIO()
        small.save(out, image_format, quality=_QUALITY)
    except (OSError, ValueError, SyntaxError):
        return None
    return out.getvalue(), media_type
