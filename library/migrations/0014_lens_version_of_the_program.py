import library.models.lenses
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("library", "0013_large_catalogues"),
    ]

    operations = [
        migrations.AlterField(
            model_name="tracklens",
            name="version",
            field=models.CharField(
                default=library.models.lenses.current_version, max_length=20, verbose_name="version"
            ),
        ),
    ]
