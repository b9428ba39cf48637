import pgvector.django.halfvec
import pgvector.django.indexes
from django.contrib.postgres.indexes import OpClass
from django.db import migrations, models
from django.db.models.functions import Cast


class Migration(migrations.Migration):
    # What is in the graph stays as it is until `manage.py build_indexes --anew`: that takes minutes on a large
    # site, which an upgrade must not wait for. New rows are put in with the new number at once.
    dependencies = [
        ("library", "0023_keep_labels"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER INDEX IF EXISTS lens_blend_hnsw SET (ef_construction = 256)",
                    "ALTER INDEX IF EXISTS lens_blend_hnsw SET (ef_construction = 128)",
                )
            ],
            state_operations=[
                migrations.RemoveIndex(model_name="tracklens", name="lens_blend_hnsw"),
                migrations.AddIndex(
                    model_name="tracklens",
                    index=pgvector.django.indexes.HnswIndex(
                        OpClass(
                            Cast(models.F("vector"), pgvector.django.halfvec.HalfVectorField(dimensions=251)),
                            name="halfvec_l2_ops",
                        ),
                        condition=models.Q(("lens", "blend"), ("public", True)),
                        ef_construction=256,
                        m=24,
                        name="lens_blend_hnsw",
                    ),
                ),
            ],
        ),
    ]
