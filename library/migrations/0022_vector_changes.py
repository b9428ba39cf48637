from django.db import migrations, models

# Made by library/services/vector_changes.py where a site has a second engine for vectors, and nowhere else.
STOP_NOTING = """
DROP TRIGGER IF EXISTS tracklens_note_insert ON library_tracklens;
DROP TRIGGER IF EXISTS tracklens_note_update ON library_tracklens;
DROP TRIGGER IF EXISTS tracklens_note_delete ON library_tracklens;
DROP FUNCTION IF EXISTS library_tracklens_note_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("library", "0021_levelled_sound"),
    ]

    operations = [
        migrations.CreateModel(
            name="VectorChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("track", models.UUIDField(verbose_name="track")),
                ("lens", models.CharField(max_length=20, verbose_name="lens")),
                ("version", models.CharField(max_length=20, verbose_name="version")),
            ],
            options={
                "verbose_name": "change of a vector",
                "verbose_name_plural": "changes of vectors",
            },
        ),
        # Before the table goes: a trigger that writes into it would stop every analysis.
        migrations.RunSQL(migrations.RunSQL.noop, STOP_NOTING),
    ]
