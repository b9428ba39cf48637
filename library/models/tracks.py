"""Tracks: sounds that were uploaded, recorded or imported."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import F, FilteredRelation, Func, Q, Value
from django.db.models.fields.files import FieldFile
from django.db.models.functions import Cast, Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.core.tags import TAGS
from classifier.models import Genre
from genreweb.long_columns import JoiningQuerySet
from library.keys import cover_key, rendition_key, sound_key

if TYPE_CHECKING:
    from genreweb.accounts.models import User
    from library.models.analyses import Analysis

TITLE_LENGTH = 200
EARLIEST_YEAR, LATEST_YEAR = 1000, 2099
_YEAR_DIGITS = 4
_ROW_COLUMNS = (
    *("title", "artist", "album", "year", "licence", "duration", "created", "source", "visibility"),
    *("status", "step", "error_code", "error_params", "sound", "rendition", "cover", "labelled_genre"),
    *("owner", "current__genre", "current__confidence", "current__unsure", "current__style"),
    *("current__probabilities", "current__track", "current__model_version__is_in_service"),
)
SHOWN_WORDS = ("title", "artist", "album", "tagged_genre")
_CATALOGUE_ORDERS: dict[str, tuple[Any, ...]] = {
    "title": ("title", "id"),
    "lower_title": (Lower("title"), "id"),
    "artist": ("artist", "title", "id"),
    "genre": ("listed_genre", "title", "id"),
    "time": (F("created").desc(), "id"),
    "length": (F("duration").desc(nulls_last=True), "id"),
}
"""Orders of the catalogue that have an index each, by its name: sorting a million tracks takes a second."""


def strength_column(slug: str) -> str:
    """Name of the column that holds the strength of a tag.

    Raises
    ------
    KeyError
        There is no such tag.
    """
    return f"strength_of_{TAGS[slug].slug.replace('-', '_')}"


class WordParts(Func):
    """Parts of texts by which an index finds them: every two and three letters in a row.

    By default of what is shown of a track. As pg_trgm does it, which not every PostgreSQL brings.
    """

    function = "library_word_parts"
    output_field = ArrayField(models.TextField())

    def __init__(self, *texts: Any, **extra: Any) -> None:
        super().__init__(*(texts or (*SHOWN_WORDS, Cast("year", models.TextField()))), **extra)


def findable(word: str) -> bool:
    """Whether a word has parts; a single letter has, but for those of ASCII."""
    return len(word) > 1 or not word.isascii()


def made_of(word: str) -> Q:
    """Condition, for an index to answer, that what is shown of a track has all the parts of a word."""
    return Q(
        Func(
            WordParts(),
            WordParts(Value(word)),
            template="%(expressions)s",
            arg_joiner=" @> ",
            output_field=models.BooleanField(),
        )
    )


def holding(word: str) -> Q:
    """Condition that what is shown of a track holds a word: title, artist, album, year, the file's genre."""
    found = Q(*((f"{name}__icontains", word) for name in SHOWN_WORDS), _connector=Q.OR)
    return found | Q(year=int(word)) if len(word) == _YEAR_DIGITS and word.isdecimal() else found


def seen_by(user: User | AnonymousUser, *, path: str = "") -> Q:
    """Condition that `user` may see a track: the catalogue, and their own that are not in the bin.

    Parameters
    ----------
    path
        Where the track is, as a prefix of lookups: ``entries__track__``.
    """
    # What is in the bin is never in the catalogue: a constraint of the database.
    public = Q(**{f"{path}visibility": Track.Visibility.CATALOGUE})
    if not user.is_authenticated:
        return public
    return public | Q(**{f"{path}owner": user, f"{path}binned_at__isnull": True})


class TrackQuerySet(JoiningQuerySet["Track"]):
    def visible_to(self, user: User | AnonymousUser) -> TrackQuerySet:
        """Filter by what `user` may see: the catalogue, and their own tracks but for those in the bin."""
        return self.filter(seen_by(user))

    def owned_by(self, user: User | AnonymousUser) -> TrackQuerySet:
        """Filter by what `user` may change: their own tracks but for those in the bin."""
        return self.filter(owner=user, binned_at__isnull=True) if user.is_authenticated else self.none()

    def in_bin_of(self, user: User | AnonymousUser) -> TrackQuerySet:
        """Filter by what `user` has put into the bin."""
        return self.filter(owner=user, binned_at__isnull=False) if user.is_authenticated else self.none()

    def queue_again(self) -> int:
        """Mark them as waiting for an analysis; return their number. Nothing is sent to the workers."""
        return self.update(
            status=Track.Status.QUEUED,
            step="",
            tries=0,
            error_code="",
            error_params={},
            queued_at=timezone.now(),
        )

    def in_catalogue(self) -> TrackQuerySet:
        return self.filter(visibility=Track.Visibility.CATALOGUE)

    def public_holding(self, word: str, *, is_common: bool = False) -> TrackQuerySet:
        """Filter by what is in the catalogue and shows a word.

        One that is in very many tracks is found sooner by going through them in their order.
        """
        found = self.in_catalogue().filter(holding(word))
        return found.filter(made_of(word)) if findable(word) and not is_common else found

    def with_verdict(self) -> TrackQuerySet:
        """Join each track's current analysis and its version."""
        return self.without_long_columns().select_related("current__model_version")

    def for_rows(self) -> TrackQuerySet:
        """Load what a row of a list shows (`library.views.row_values`), and nothing else."""
        return self.select_related(None).with_verdict().only(*_ROW_COLUMNS)

    def with_tag(self, slug: str, *, at_least: float) -> TrackQuerySet:
        """Filter by a tag's strength, which is then the column `strength_column(slug)`."""
        relation = f"with_{strength_column(slug)}"
        joined = self._with_tag_rows(slug, relation).filter(**{f"{relation}__strength__gte": at_least})
        return joined.annotate(**{strength_column(slug): F(f"{relation}__strength")})

    def with_strength(self, slug: str) -> TrackQuerySet:
        """Add a tag's strength as the column `strength_column(slug)`: null where it is not notable."""
        relation = f"of_{strength_column(slug)}"
        return self._with_tag_rows(slug, relation).annotate(
            **{strength_column(slug): F(f"{relation}__strength")}
        )

    def _with_tag_rows(self, slug: str, relation: str) -> TrackQuerySet:
        return self.annotate(
            **{relation: FilteredRelation("notable_tags", condition=Q(notable_tags__tag=slug))}
        )


class Track(models.Model):
    """A sound that was uploaded, recorded or imported."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("being analysed")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    class Step(models.TextChoices):
        DECODE = "decode", _("decoding the sound")
        FEATURES = "features", _("measuring its spectrum")
        CLASSIFY = "classify", _("listening for the genre")
        PICTURES = "pictures", _("drawing the pictures")
        SAVE = "save", _("finding similar tracks")

    class Visibility(models.TextChoices):
        PRIVATE = "private", _("private")
        CATALOGUE = "catalogue", _("in the catalogue")

    class Source(models.TextChoices):
        UPLOAD = "upload", _("uploaded")
        RECORDING = "recording", _("recorded")
        CATALOGUE = "catalogue", _("imported")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="tracks",
        verbose_name=_("owner"),
    )
    visibility = models.CharField(
        _("visibility"), max_length=10, choices=Visibility.choices, default=Visibility.PRIVATE
    )
    source = models.CharField(_("source"), max_length=10, choices=Source.choices, default=Source.UPLOAD)
    title = models.CharField(_("title"), max_length=TITLE_LENGTH)
    artist = models.CharField(_("artist"), max_length=TITLE_LENGTH, blank=True)
    album = models.CharField(_("album"), max_length=TITLE_LENGTH, blank=True)
    year = models.PositiveSmallIntegerField(_("year"), null=True, blank=True)
    # Anybody's words, to be shown and searched; never taken for a label.
    tagged_genre = models.CharField(_("genre named in the file"), max_length=TITLE_LENGTH, blank=True)
    licence = models.CharField(_("licence"), max_length=TITLE_LENGTH, blank=True)
    labelled_genre = models.ForeignKey(
        Genre,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("genre given by the catalogue"),
    )
    # Names are for display only: no file is opened, stored or served by them.
    original_name = models.TextField(
        _("original file name"), blank=True, validators=[MaxLengthValidator(1000)]
    )
    catalogue_key = models.CharField(  # noqa: DJ001  # null is "not imported"; two such are not the same place
        _("place in the catalogue"), max_length=500, null=True, blank=True
    )

    # Size and modification time of the file that was imported: equal, they tell that it has not changed.
    file_stamp = models.CharField(_("size and time of the imported file"), max_length=50, blank=True)
    # What the file's own tags say, by field of this model; null until they were read.
    file_tags = models.JSONField(_("tags of the file"), null=True, blank=True)

    sound = models.FileField(_("sound"), upload_to=sound_key, max_length=200)
    rendition = models.FileField(_("what browsers play"), upload_to=rendition_key, max_length=200, blank=True)
    cover = models.FileField(_("cover"), upload_to=cover_key, max_length=200, blank=True)
    sha256 = models.CharField(_("SHA-256 of the file"), max_length=64)
    size = models.PositiveBigIntegerField(_("size in bytes"))
    duration = models.FloatField(_("duration in seconds"), null=True, blank=True)
    sample_rate = models.PositiveIntegerField(_("sample rate in Hz"), null=True, blank=True)
    channels = models.PositiveSmallIntegerField(_("channels"), null=True, blank=True)
    codec = models.CharField(_("codec"), max_length=40, blank=True)
    container = models.CharField(_("container"), max_length=60, blank=True)

    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    step = models.CharField(_("step"), max_length=10, choices=Step.choices, blank=True)
    # Counts claims. A worker's result is stored only if this is still its attempt.
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    # Attempts since the last request of a person; the sweeper gives up after too many.
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    error_params = models.JSONField(_("error details"), default=dict, blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    queued_at = models.DateTimeField(_("queued at"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    # What is in the bin is private, so that whatever asks for the catalogue alone is right without asking.
    binned_at = models.DateTimeField(_("in the bin since"), null=True, blank=True, editable=False)
    was_published = models.BooleanField(
        _("was in the catalogue before"), default=False, db_default=False, editable=False
    )

    # Under which it stands in the catalogue: the label, else what was heard; empty for what is none of the
    # genres. A trigger of the database writes it, so that lists need not look at the analyses of all tracks.
    listed_genre = models.CharField(
        _("genre in lists"), max_length=40, blank=True, default="", db_default="", editable=False
    )

    # An analysis is deleted only with its track: the constraint is checked at the end of that transaction.
    current = models.OneToOneField(
        "Analysis",
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("current analysis"),
    )

    objects = TrackQuerySet.as_manager()

    LONG_COLUMNS: ClassVar = ("file_tags",)

    class Meta:
        ordering = ["-created", "id"]
        verbose_name = _("track")
        verbose_name_plural = _("tracks")
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "sha256"],
                condition=Q(owner__isnull=False),
                name="one_track_per_owner_and_content",
            ),
            models.UniqueConstraint(fields=["catalogue_key"], name="one_track_per_catalogue_place"),
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running", "done", "failed"]), name="track_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status="done") | Q(current__isnull=False), name="done_track_has_analysis"
            ),
            models.CheckConstraint(
                condition=Q(owner__isnull=False) | Q(visibility="catalogue"), name="private_track_has_owner"
            ),
            models.CheckConstraint(
                condition=Q(binned_at__isnull=True) | Q(visibility="private"), name="binned_track_is_private"
            ),
            models.CheckConstraint(
                condition=Q(was_published=False) | Q(binned_at__isnull=False),
                name="only_binned_track_was_published",
            ),
        ]
        indexes = [
            # Counts a person's tracks, and finds a far page of them, without reading a row.
            models.Index(
                fields=["owner", "-created", "id"],
                condition=Q(binned_at__isnull=True),
                name="own_tracks_by_time",
            ),
            models.Index(
                fields=["status", "heartbeat_at"],
                condition=Q(status__in=["queued", "running"]),
                name="track_unfinished",
            ),
            models.Index(fields=["-created", "id"], name="track_by_time"),
            models.Index(fields=["binned_at"], condition=Q(binned_at__isnull=False), name="track_in_bin"),
            *(
                models.Index(*order, condition=Q(visibility="catalogue"), name=f"catalogue_by_{name}")
                for name, order in _CATALOGUE_ORDERS.items()
            ),
            GinIndex(WordParts(), condition=Q(visibility="catalogue"), name="catalogue_words"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_finished(self) -> bool:
        return self.status in (self.Status.DONE, self.Status.FAILED)

    @property
    def is_in_catalogue(self) -> bool:
        return self.visibility == self.Visibility.CATALOGUE

    @property
    def shown_genre(self) -> str:
        """The label to show beside the title: the catalogue's, else the predicted one, else ''."""
        if self.labelled_genre is not None:
            return self.labelled_genre.slug
        return self.current.genre if self.current is not None else ""

    def former_analyses(self) -> JoiningQuerySet[Analysis]:
        """Analyses before the current one, the newest first, without the long columns."""
        former = self.analyses.exclude(pk=self.current_id or 0).select_related("model_version")
        return former.without_long_columns()

    @property
    def playable(self) -> FieldFile:
        """The file to play: the sound, or its rendition if browsers cannot play the sound."""
        return self.rendition or self.sound

    @property
    def player_url(self) -> str:
        """An expiring link to the file to play."""
        return str(self.playable.url)
