"""URLs of tracks and of the classify endpoint."""

from __future__ import annotations

from django.urls import path

from library.api.bin import BinnedTrackView, BinView, RestoreView
from library.api.bulk import TracksBulkView
from library.api.classify import ClassifyView
from library.api.events import EventsView
from library.api.explanation import ExplanationView
from library.api.exports import FeatureTableView, TrackJsonView, TrackTableView
from library.api.generated import GenerateView, PathView
from library.api.moods import MoodListView, MoodTrackListView
from library.api.pictures import PicturesView
from library.api.playlists import (
    PlaylistFileView,
    PlaylistListView,
    PlaylistTracksView,
    PlaylistTrackView,
    PlaylistView,
)
from library.api.reanalyses import ReanalysisListView, ReanalysisSteerView, ReanalysisView
from library.api.resumable import ResumableListView, ResumableView
from library.api.samples import SampleListView, SampleView
from library.api.similar import SimilarToManyView, SimilarView
from library.api.sound_map import SoundMapView
from library.api.tagged import TaggedArchiveView, TaggedFileView, TaggedPreviewView
from library.api.thumbs import ThumbListView, ThumbView
from library.api.tracks import AnalyseView, TrackListView, TrackView
from library.api.uploads import UploadListView, UploadView

urlpatterns = [
    path("tracks/", TrackListView.as_view(), name="tracks"),
    path("tracks/bulk/", TracksBulkView.as_view(), name="tracks-bulk"),
    path("tracks/export/csv/", TrackTableView.as_view(), name="tracks-csv"),
    path("tracks/export/json/", TrackJsonView.as_view(), name="tracks-json"),
    path("tracks/export/features/", FeatureTableView.as_view(), name="tracks-features"),
    path("tracks/export/tagged/", TaggedArchiveView.as_view(), name="tracks-tagged"),
    path("tracks/<uuid:pk>/tagged/", TaggedFileView.as_view(), name="track-tagged"),
    path("tracks/<uuid:pk>/tagged/preview/", TaggedPreviewView.as_view(), name="track-tagged-preview"),
    path("tracks/<uuid:pk>/", TrackView.as_view(), name="track"),
    path("tracks/<uuid:pk>/analyse/", AnalyseView.as_view(), name="track-analyse"),
    path("tracks/<uuid:pk>/similar/", SimilarView.as_view(), name="track-similar"),
    path("tracks/<uuid:pk>/similar/<uuid:other>/thumb/", ThumbView.as_view(), name="track-thumb"),
    path("thumbs/", ThumbListView.as_view(), name="thumbs"),
    path("similar/", SimilarToManyView.as_view(), name="similar"),
    path("tracks/<uuid:pk>/pictures/", PicturesView.as_view(), name="track-pictures"),
    path("tracks/<uuid:pk>/explanation/", ExplanationView.as_view(), name="track-explanation"),
    path("samples/", SampleListView.as_view(), name="samples"),
    path("samples/<slug:slug>/", SampleView.as_view(), name="sample"),
    path("bin/", BinView.as_view(), name="bin"),
    path("bin/<uuid:pk>/", BinnedTrackView.as_view(), name="binned-track"),
    path("bin/<uuid:pk>/restore/", RestoreView.as_view(), name="track-restore"),
    path("reanalyses/", ReanalysisListView.as_view(), name="reanalyses"),
    path("reanalyses/<int:pk>/", ReanalysisView.as_view(), name="reanalysis"),
    path("reanalyses/<int:pk>/steer/", ReanalysisSteerView.as_view(), name="reanalysis-steer"),
    path("map/", SoundMapView.as_view(), name="map"),
    path("moods/", MoodListView.as_view(), name="moods"),
    path("moods/<slug:mood>/tracks/", MoodTrackListView.as_view(), name="mood-tracks"),
    path("uploads/", UploadListView.as_view(), name="uploads"),
    path("uploads/<uuid:pk>/", UploadView.as_view(), name="upload"),
    path("uploads/resumable/", ResumableListView.as_view(), name="resumable-uploads"),
    path("uploads/resumable/<uuid:pk>/", ResumableView.as_view(), name="resumable-upload"),
    path("playlists/", PlaylistListView.as_view(), name="playlists"),
    path("playlists/generate/", GenerateView.as_view(), name="playlists-generate"),
    path("playlists/<uuid:pk>/", PlaylistView.as_view(), name="playlist"),
    path("playlists/<uuid:pk>/tracks/", PlaylistTracksView.as_view(), name="playlist-tracks"),
    path("playlists/<uuid:pk>/tracks/<uuid:track>/", PlaylistTrackView.as_view(), name="playlist-track"),
    path("playlists/<uuid:pk>/files/<slug:kind>/", PlaylistFileView.as_view(), name="playlist-file"),
    path("paths/", PathView.as_view(), name="paths"),
    path("events/", EventsView.as_view(), name="events"),
    path("classify/", ClassifyView.as_view(), name="classify"),
]
