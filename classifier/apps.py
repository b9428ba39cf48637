from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ClassifierConfig(AppConfig):
    name = "classifier"
    verbose_name = _("Classifier")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from classifier.registry import look_for_faults, name_in_service
        from classifier.version_files import stored_names
        from genreweb import health
        from genreweb.backups import contents

        health.register_concern("classifier", look_for_faults)
        health.register_detail("classifier", name_in_service)
        contents.register(stored_names)
