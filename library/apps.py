from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LibraryConfig(AppConfig):
    name = "library"
    verbose_name = _("Library")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from classifier.core.legacy_text import guess
        from genreweb import multipart
        from genreweb.accounts import personal_data, quotas
        from library import personal_data as ours
        from library.services.quotas import kept

        personal_data.register(ours)
        quotas.register(kept)
        multipart.install(decode=guess)
