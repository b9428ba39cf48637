"""URLs of the library's pages: a user's tracks, and the catalogue."""

from __future__ import annotations

from django.urls import path

from library.views import (
    actions,
    catalogue,
    exports,
    history,
    home,
    moods,
    neighbours,
    reanalysis,
    record,
    tagged,
    track,
    upload,
)

app_name = "library"

urlpatterns = [
    path("", home.home, name="home"),
    path("upload/", upload.upload, name="upload"),
    path("record/", record.record, name="record"),
    path("tracks/", history.history, name="history"),
    path("tracks/rows/", history.rows, name="rows"),
    path("tracks/bulk/", actions.bulk, name="bulk"),
    path("tracks/export.csv", exports.history, {"form": exports.CSV}, name="history-csv"),
    path("tracks/export.json", exports.history, {"form": exports.JSON}, name="history-json"),
    path("tracks/features.csv", exports.own_features, name="history-features"),
    path("tracks/tagged.zip", tagged.archive, name="tagged-archive"),
    path("tracks/<uuid:pk>/tagged/", tagged.page, name="tagged"),
    path("tracks/<uuid:pk>/tagged/file/", tagged.file, name="tagged-file"),
    path("tracks/<uuid:pk>/rename/", actions.rename, name="rename"),
    path("tracks/<uuid:pk>/edit/", actions.edit, name="edit"),
    path("tracks/<uuid:pk>/again/", actions.again, name="again"),
    path("tracks/<uuid:pk>/delete/", actions.delete, name="delete"),
    path("tracks/<uuid:pk>/", track.page, name="track"),
    path("tracks/<uuid:pk>/result/", track.result, name="track-result"),
    path("tracks/<uuid:pk>/why/", track.why, name="track-why"),
    path("tracks/<uuid:pk>/neighbours/", neighbours.neighbours, name="track-neighbours"),
    path("tracks/<uuid:pk>/data.json", track.data, name="track-data"),
    path("tracks/<uuid:pk>/timeline.csv", track.timeline, name="track-timeline"),
    path("tracks/<uuid:pk>/tags.csv", track.tags, name="track-tags"),
    path("catalogue/", catalogue.browse, name="catalogue"),
    path("catalogue/export.csv", exports.catalogue, {"form": exports.CSV}, name="catalogue-csv"),
    path("catalogue/export.json", exports.catalogue, {"form": exports.JSON}, name="catalogue-json"),
    path("moods/", moods.moods, name="moods"),
    path("moods/<slug:slug>/", moods.mood, name="mood"),
    path("reanalyses/<slug:scope>/watch/", reanalysis.watch, name="reanalysis-watch"),
    path("reanalyses/<slug:scope>/begin/", reanalysis.begin, name="reanalysis-begin"),
    path("reanalyses/<int:pk>/", reanalysis.changes, name="reanalysis"),
    path("reanalyses/<int:pk>/steer/", reanalysis.steer, name="reanalysis-steer"),
]
