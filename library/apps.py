from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LibraryConfig(AppConfig):
    name = "library"
    verbose_name = _("Library")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.conf import settings

        from classifier.core.legacy_text import guess
        from genreweb import multipart
        from genreweb.accounts import personal_data, quotas
        from library import personal_data as ours
        from library.services.quotas import kept

        personal_data.register(ours)
        quotas.register(kept)
        multipart.install(decode=guess)
        if settings.QDRANT_URL:
            watch_vector_engine()


def watch_vector_engine() -> None:
    """Have health and metrics say how the second engine for vectors does."""
    from genreweb import health, metrics
    from library.services import vector_filling as filling

    health.register_concern("vectors", filling.look_for_faults)
    metrics.register_gauge(
        "genreweb_vector_changes",
        "Changes of vectors that wait for their engine.",
        (),
        filling.changes_waiting,
    )
    metrics.register_gauge(
        "genreweb_vector_engine",
        "Whether the engine for vectors answers by a lens.",
        ("lens",),
        filling.lenses_in_service,
    )
