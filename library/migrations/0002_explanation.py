import django.db.models.deletion
import django.utils.timezone
import library.models
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("library", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Explanation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "waiting"),
                            ("running", "being worked out"),
                            ("done", "done"),
                            ("failed", "failed"),
                        ],
                        default="queued",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                ("attempt", models.PositiveIntegerField(default=0, verbose_name="attempt")),
                ("tries", models.PositiveSmallIntegerField(default=0, verbose_name="tries")),
                ("error_code", models.CharField(blank=True, max_length=40, verbose_name="error code")),
                ("error_params", models.JSONField(blank=True, default=dict, verbose_name="error details")),
                ("created", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "queued_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="queued at"),
                ),
                (
                    "heartbeat_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="last sign of life"),
                ),
                ("finished_at", models.DateTimeField(blank=True, null=True, verbose_name="finished at")),
                ("summary", models.JSONField(blank=True, default=dict, verbose_name="bands and moments")),
                (
                    "picture",
                    models.FileField(
                        blank=True,
                        max_length=200,
                        upload_to=library.models.explanation_key,
                        verbose_name="map",
                    ),
                ),
                (
                    "analysis",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="explanation",
                        to="library.analysis",
                        verbose_name="analysis",
                    ),
                ),
            ],
            options={
                "verbose_name": "explanation",
                "verbose_name_plural": "explanations",
                "indexes": [
                    models.Index(
                        condition=models.Q(("status__in", ["queued", "running"])),
                        fields=["status", "heartbeat_at"],
                        name="explanation_unfinished",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["queued", "running", "done", "failed"])),
                        name="explanation_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "done"), _negated=True),
                            models.Q(("picture", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="done_explanation_has_picture",
                    ),
                ],
            },
        ),
    ]
