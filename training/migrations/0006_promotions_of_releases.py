from typing import Any

from django.db import migrations

from training.models.versions import FIRST_REASON, NEWER_REASON


def _add_promotions(apps: Any, schema_editor: Any) -> None:
    """Write a promotion for every version that the program itself put into service; until now none was kept.

    The version before it is the one that a roll-back went back to: of those that are older and have served, the
    one that served last.
    """
    promotions = apps.get_model("training", "Promotion").objects
    served = apps.get_model("classifier", "ModelVersion").objects.filter(served_at__isnull=False)
    known = promotions.filter(action="promote").values("version")
    for version in served.exclude(pk__in=known).order_by("created"):
        former = served.filter(created__lt=version.created).order_by("-served_at").first()
        row = promotions.create(
            action="promote",
            version=version,
            former=former,
            reason=FIRST_REASON if former is None else NEWER_REASON,
        )
        # The program put a release into service when it made its row.
        promotions.filter(pk=row.pk).update(at=version.created)


class Migration(migrations.Migration):
    dependencies = [
        ("classifier", "0003_store_releases"),
        ("training", "0005_decisions_outlive_clips"),
    ]

    operations = [migrations.RunPython(_add_promotions, migrations.RunPython.noop)]
