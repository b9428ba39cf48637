import pgvector.django.halfvec
import pgvector.django.indexes
from django.contrib.postgres.indexes import OpClass
from django.db import migrations, models
from django.db.models.functions import Cast


class Migration(migrations.Migration):
    # The blend has other dimensions: its rows are made anew in the background, as all lenses of version 3 are.
    dependencies = [
        ("library", "0020_encoded_copies"),
    ]

    operations = [
        migrations.AddField(
            model_name="analysis",
            name="levelled_features",
            field=pgvector.django.halfvec.HalfVectorField(
                null=True, verbose_name="features of the tagger at a common level"
            ),
        ),
        migrations.AddField(
            model_name="tracklens",
            name="isolation",
            field=models.FloatField(null=True, verbose_name="distance from reference songs"),
        ),
        migrations.RemoveIndex(model_name="tracklens", name="lens_blend_hnsw"),
        migrations.RunSQL(
            "DELETE FROM library_tracklens WHERE lens = 'blend'",
            "DELETE FROM library_tracklens WHERE lens = 'blend'",
        ),
        migrations.AddIndex(
            model_name="tracklens",
            index=pgvector.django.indexes.HnswIndex(
                OpClass(
                    Cast(models.F("vector"), pgvector.django.halfvec.HalfVectorField(dimensions=251)),
                    name="halfvec_l2_ops",
                ),
                condition=models.Q(("lens", "blend"), ("public", True)),
                ef_construction=128,
                m=24,
                name="lens_blend_hnsw",
            ),
        ),
    ]
