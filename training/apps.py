import gc

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from genreweb import USUAL_THRESHOLD


class TrainingConfig(AppConfig):
    name = "training"
    verbose_name = _("Training")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from genreweb.accounts import personal_data, quotas
        from genreweb.metrics import register_gauge
        from training import personal_data as ours
        from training.models.runs import count_runs
        from training.services.clips import kept

        personal_data.register(ours)
        quotas.register(kept)
        register_gauge("genreweb_training_runs", "Training runs.", ("kind", "status"), count_runs)
        # This is the site's last application: what was loaded by now stays. Not looked at again, it takes no
        # time at the end either, and remains shared by the processes that are forked.
        gc.freeze()
        gc.set_threshold(*USUAL_THRESHOLD)
