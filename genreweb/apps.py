import mimetypes

from django.apps import AppConfig
from django.contrib.staticfiles.apps import StaticFilesConfig as DjangoStaticFilesConfig

_MEDIA_TYPES = {
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    **dict.fromkeys((".ogg", ".oga", ".opus"), "audio/ogg"),
    **dict.fromkeys((".m4a", ".mp4"), "audio/mp4"),
    ".aac": "audio/aac",
    **dict.fromkeys((".webm", ".weba"), "audio/webm"),
    ".mka": "audio/x-matroska",
    **dict.fromkeys((".aiff", ".aif", ".aifc"), "audio/aiff"),
    **dict.fromkeys((".au", ".snd"), "audio/basic"),
    **dict.fromkeys((".wma", ".asf"), "audio/x-ms-wma"),
    ".caf": "audio/x-caf",
    ".wv": "audio/x-wavpack",
    ".ape": "audio/x-ape",
    ".webp": "image/webp",
}
"""Of what the site stores: sounds, even in containers that may hold pictures too, and pictures of them."""


class GenrewebConfig(AppConfig):
    name = "genreweb"
    verbose_name = "Genreweb"

    def ready(self) -> None:
        # Imported for the checks that it registers.
        from genreweb import checks  # noqa: F401

        # Whatever serves a file asks this table, which differs between machines unless it is told.
        for suffix, media_type in _MEDIA_TYPES.items():
            mimetypes.add_type(media_type, suffix)


class StaticFilesConfig(DjangoStaticFilesConfig):
    """Static files, less what packages ship for bundlers: hashing and packing that takes a minute."""

    ignore_patterns = [
        *DjangoStaticFilesConfig.ignore_patterns,
        *("*.d.ts", "*.cjs", "__tests__", "*.rtl.*"),
        *("bootstrap-grid*", "bootstrap-reboot*", "bootstrap-utilities*", "bootstrap.css*", "bootstrap.js*"),
        *("bootstrap.bundle.js*", "bootstrap.esm*", "bootstrap.min.js*"),
        *("htmx.js", "htmx.*.js.gz", "*.amd.js", "htmx.cjs.js", "uPlot.cjs.js", "uPlot.iife*"),
        *("redoc", "swagger-ui-es-bundle*", "oauth2-redirect*"),
    ]
