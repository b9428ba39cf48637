"""The file that `manage.py evaluate_channels` writes: figures under real convolution, noise and codecs."""

from __future__ import annotations

FORMAT_VERSION = 2
JSON_FILE = "real_channels.json"
