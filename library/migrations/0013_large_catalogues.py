import django.contrib.postgres.indexes
import django.db.models.functions.text
import library.models.tracks
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

# Names nothing of the site: an index is built with a search path that holds PostgreSQL's own schema alone.
WORD_PARTS = """
CREATE OR REPLACE FUNCTION library_word_parts(VARIADIC texts text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 2000 AS $$
DECLARE
    words text;
    parts text[] := '{}';
BEGIN
    FOREACH words IN ARRAY texts LOOP
        CONTINUE WHEN words IS NULL;
        words := upper(words);
        FOR place IN 1 .. length(words) - 1 LOOP
            parts := parts || substr(words, place, 2) || substr(words, place, 3);
        END LOOP;
        CONTINUE WHEN octet_length(words) = length(words);
        -- A letter of other scripts may be a word.
        FOR place IN 1 .. length(words) LOOP
            IF octet_length(substr(words, place, 1)) > 1 THEN
                parts := parts || substr(words, place, 1);
            END IF;
        END LOOP;
    END LOOP;
    RETURN parts;
END
$$;
"""
NO_WORD_PARTS = "DROP FUNCTION library_word_parts(text[])"
LISTED_GENRE = """
CREATE OR REPLACE FUNCTION library_track_list_genre() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.listed_genre := coalesce(
        (SELECT slug FROM classifier_genre WHERE id = NEW.labelled_genre_id),
        (SELECT CASE WHEN style = '' THEN genre ELSE '' END FROM library_analysis WHERE id = NEW.current_id),
        ''
    );
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER track_list_genre
BEFORE INSERT OR UPDATE OF current_id, labelled_genre_id, listed_genre ON library_track
FOR EACH ROW EXECUTE FUNCTION library_track_list_genre();
UPDATE library_track SET listed_genre = '' WHERE current_id IS NOT NULL OR labelled_genre_id IS NOT NULL;
"""
NO_LISTED_GENRE = """
DROP TRIGGER track_list_genre ON library_track;
DROP FUNCTION library_track_list_genre();
"""


class Migration(migrations.Migration):
    # Indexes of large tables are built without blocking who writes to them.
    atomic = False

    dependencies = [
        ("classifier", "0004_genre_translations"),
        ("library", "0012_watched_files"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(WORD_PARTS, NO_WORD_PARTS),
        RemoveIndexConcurrently(
            model_name="track",
            name="track_by_visibility",
        ),
        migrations.AddField(
            model_name="track",
            name="listed_genre",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                max_length=40,
                verbose_name="genre in lists",
            ),
        ),
        migrations.RunSQL(LISTED_GENRE, NO_LISTED_GENRE),
        AddIndexConcurrently(
            model_name="track",
            index=models.Index(fields=["-created", "id"], name="track_by_time"),
        ),
        AddIndexConcurrently(
            model_name="track",
            index=models.Index(
                models.F("title"),
                models.F("id"),
                condition=models.Q(("visibility", "catalogue")),
                name="catalogue_by_title",
            ),
        ),
        AddIndexConcurrently(
            model_name="track",
            index=models.Index(
                django.db.models.functions.text.Lower("title"),
                models.F("id"),
                condition=models.Q(("visibility", "catalogue")),
                name="catalogue_by_lower_title",
            ),
        ),
        AddIndexConcurrently(
            model_name="track",
            index=models.Index(
                models.F("artist"),
                models.F("title"),
                models.F("id"),
                condition=models.Q(("visibility", "catalogue")),
                name="catalogue_by_artist",
            ),
        ),
        AddIndexConcurrently(
            model_name="track",
            index=models.Index(
                models.F("listed_genre"),
                models.F("title"),
                models.F("id"),
                condition=models.Q(("visibility", "catalogue")),
                name="catalogue_by_genre",
            ),
        ),
        AddIndexConcurrently(
            model_name="track",
            index=models.Index(
                models.OrderBy(models.F("created"), descending=True),
                models.F("id"),
                condition=models.Q(("visibility", "catalogue")),
                name="catalogue_by_time",
            ),
        ),
        AddIndexConcurrently(
            model_name="track",
            index=models.Index(
                models.OrderBy(models.F("duration"), descending=True, nulls_last=True),
                models.F("id"),
                condition=models.Q(("visibility", "catalogue")),
                name="catalogue_by_length",
            ),
        ),
        AddIndexConcurrently(
            model_name="track",
            index=django.contrib.postgres.indexes.GinIndex(
                library.models.tracks.WordParts(),
                condition=models.Q(("visibility", "catalogue")),
                name="catalogue_words",
            ),
        ),
        AddIndexConcurrently(
            model_name="tracklens",
            index=models.Index(
                condition=models.Q(("public", True)), fields=["lens", "version"], name="public_lens"
            ),
        ),
    ]
