from django.conf import settings
from django.db import migrations, models

FOLLOW_TRACK = """
CREATE OR REPLACE FUNCTION library_tracklens_follow_track() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE library_tracklens
    SET public = (NEW.visibility = 'catalogue'),
        owner_id = CASE WHEN NEW.binned_at IS NULL THEN NEW.owner_id END
    WHERE track_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER tracklens_follow_track AFTER UPDATE OF visibility, owner_id, binned_at ON library_track
FOR EACH ROW WHEN (
    OLD.visibility IS DISTINCT FROM NEW.visibility
    OR OLD.owner_id IS DISTINCT FROM NEW.owner_id
    OR OLD.binned_at IS DISTINCT FROM NEW.binned_at
)
EXECUTE FUNCTION library_tracklens_follow_track();
"""
FOLLOW_TRACK_WITHOUT_BIN = """
CREATE OR REPLACE FUNCTION library_tracklens_follow_track() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE library_tracklens
    SET public = (NEW.visibility = 'catalogue'), owner_id = NEW.owner_id
    WHERE track_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER tracklens_follow_track AFTER UPDATE OF visibility, owner_id ON library_track
FOR EACH ROW WHEN (OLD.visibility IS DISTINCT FROM NEW.visibility OR OLD.owner_id IS DISTINCT FROM NEW.owner_id)
EXECUTE FUNCTION library_tracklens_follow_track();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("classifier", "0004_genre_translations"),
        ("library", "0016_announced_batches"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="track",
            name="binned_at",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="in the bin since"
            ),
        ),
        migrations.AddField(
            model_name="track",
            name="was_published",
            field=models.BooleanField(
                db_default=False, default=False, editable=False, verbose_name="was in the catalogue before"
            ),
        ),
        migrations.AddIndex(
            model_name="track",
            index=models.Index(
                condition=models.Q(("binned_at__isnull", False)), fields=["binned_at"], name="track_in_bin"
            ),
        ),
        migrations.AddConstraint(
            model_name="track",
            constraint=models.CheckConstraint(
                condition=models.Q(("binned_at__isnull", True), ("visibility", "private"), _connector="OR"),
                name="binned_track_is_private",
            ),
        ),
        migrations.AddConstraint(
            model_name="track",
            constraint=models.CheckConstraint(
                condition=models.Q(("was_published", False), ("binned_at__isnull", False), _connector="OR"),
                name="only_binned_track_was_published",
            ),
        ),
        migrations.RunSQL(FOLLOW_TRACK, FOLLOW_TRACK_WITHOUT_BIN),
    ]
