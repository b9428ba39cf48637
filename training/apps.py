from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TrainingConfig(AppConfig):
    name = "training"
    verbose_name = _("Training")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from genreweb.accounts import personal_data, quotas
        from training import personal_data as ours
        from training.services.clips import kept

        personal_data.register(ours)
        quotas.register(kept)
