"""URLs of tracks and of the classify endpoint."""

from __future__ import annotations

from django.urls import path

from library.api.classify import ClassifyView
from library.api.explanation import ExplanationView
from library.api.exports import FeatureTableView, TrackJsonView, TrackTableView
from library.api.moods import MoodListView, MoodTrackListView
from library.api.pictures import PicturesView
from library.api.reanalyses import ReanalysisListView, ReanalysisSteerView, ReanalysisView
from library.api.similar import SimilarToManyView, SimilarView
from library.api.tagged import TaggedArchiveView, TaggedFileView, TaggedPreviewView
from library.api.tracks import AnalyseView, TrackListView, TrackView

urlpatterns = [
    path("tracks/", TrackListView.as_view(), name="tracks"),
    path("tracks/export/csv/", TrackTableView.as_view(), name="tracks-csv"),
    path("tracks/export/json/", TrackJsonView.as_view(), name="tracks-json"),
    path("tracks/export/features/", FeatureTableView.as_view(), name="tracks-features"),
    path("tracks/export/tagged/", TaggedArchiveView.as_view(), name="tracks-tagged"),
    path("tracks/<uuid:pk>/tagged/", TaggedFileView.as_view(), name="track-tagged"),
    path("tracks/<uuid:pk>/tagged/preview/", TaggedPreviewView.as_view(), name="track-tagged-preview"),
    path("tracks/<uuid:pk>/", TrackView.as_view(), name="track"),
    path("tracks/<uuid:pk>/analyse/", AnalyseView.as_view(), name="track-analyse"),
    path("tracks/<uuid:pk>/similar/", SimilarView.as_view(), name="track-similar"),
    path("similar/", SimilarToManyView.as_view(), name="similar"),
    path("tracks/<uuid:pk>/pictures/", PicturesView.as_view(), name="track-pictures"),
    path("tracks/<uuid:pk>/explanation/", ExplanationView.as_view(), name="track-explanation"),
    path("reanalyses/", ReanalysisListView.as_view(), name="reanalyses"),
    path("reanalyses/<int:pk>/", ReanalysisView.as_view(), name="reanalysis"),
    path("reanalyses/<int:pk>/steer/", ReanalysisSteerView.as_view(), name="reanalysis-steer"),
    path("moods/", MoodListView.as_view(), name="moods"),
    path("moods/<slug:mood>/tracks/", MoodTrackListView.as_view(), name="mood-tracks"),
    path("classify/", ClassifyView.as_view(), name="classify"),
]
