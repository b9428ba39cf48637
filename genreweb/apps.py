from django.apps import AppConfig
from django.contrib.staticfiles.apps import StaticFilesConfig as DjangoStaticFilesConfig


class GenrewebConfig(AppConfig):
    name = "genreweb"
    verbose_name = "Genreweb"

    def ready(self) -> None:
        # Imported for the checks that they register.
        from genreweb import checks, constant_tags, metrics  # noqa: F401

        constant_tags.take_over()


class StaticFilesConfig(DjangoStaticFilesConfig):
    """Static files without what packages ship for bundlers, whose hashing and compression take a minute."""

    ignore_patterns = [
        *DjangoStaticFilesConfig.ignore_patterns,
        *("*.d.ts", "*.cjs", "__tests__", "*.rtl.*"),
        *("bootstrap-grid*", "bootstrap-reboot*", "bootstrap-utilities*", "bootstrap.css*", "bootstrap.js*"),
        *("bootstrap.bundle.js*", "bootstrap.esm*", "bootstrap.min.js*"),
        *("htmx.js", "htmx.*.js.gz", "*.amd.js", "htmx.cjs.js", "uPlot.cjs.js", "uPlot.iife*"),
        *("browser-test-bundle*", "tus.js", "tus.js.map"),
    ]
