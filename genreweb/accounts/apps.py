from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "genreweb.accounts"
    label = "accounts"
    verbose_name = _("People")

    def ready(self) -> None:
        # Imported for the description of the API's authentication that it registers.
        from genreweb.accounts import schema  # noqa: F401
