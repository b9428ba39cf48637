from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LibraryConfig(AppConfig):
    name = "library"
    verbose_name = _("Library")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from genreweb.accounts import personal_data, quotas
        from library import personal_data as ours
        from library.services.quotas import kept

        personal_data.register(ours)
        quotas.register(kept)
