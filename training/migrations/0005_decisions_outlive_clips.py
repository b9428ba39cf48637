from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def _note_the_clips(apps: Any, schema_editor: Any) -> None:
    apps.get_model("training", "ClipDecision").objects.update(clip_key=models.F("clip_id"))


class Migration(migrations.Migration):
    dependencies = [("training", "0004_fingerprints")]

    operations = [
        migrations.AddField(
            model_name="clipdecision",
            name="clip_key",
            field=models.UUIDField(editable=False, null=True, verbose_name="id of the clip"),
        ),
        migrations.RunPython(_note_the_clips, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="clipdecision",
            name="clip_key",
            field=models.UUIDField(editable=False, verbose_name="id of the clip"),
        ),
        migrations.AlterField(
            model_name="clipdecision",
            name="clip",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="decisions",
                to="training.clip",
                verbose_name="clip",
            ),
        ),
    ]
