from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0010_playlists")]

    operations = [
        migrations.AddField(
            "analysis",
            "key_clarity",
            models.FloatField(blank=True, null=True, verbose_name="clarity of the key"),
        ),
        migrations.AddField(
            "analysis",
            "tempo",
            models.FloatField(blank=True, null=True, verbose_name="tempo in beats per minute"),
        ),
        migrations.AddField(
            "analysis",
            "tempo_clarity",
            models.FloatField(blank=True, null=True, verbose_name="clarity of the tempo"),
        ),
        migrations.AddField(
            "analysis",
            "loudness",
            models.FloatField(blank=True, null=True, verbose_name="loudness in LUFS"),
        ),
        migrations.AddField(
            "analysis",
            "true_peak",
            models.FloatField(blank=True, null=True, verbose_name="true peak in dBTP"),
        ),
    ]
