"""URLs of the library's pages: a user's tracks, and the catalogue."""

from __future__ import annotations

from django.urls import path

from library.views import (
    actions,
    catalogue,
    history,
    home,
    moods,
    neighbours,
    playlist_builder,
    playlists,
    reanalysis,
    record,
    thumbs,
    sounds,
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
    path("tracks/sounds/", sounds.sounds, name="sounds"),
    path("tracks/waves/", sounds.waves, name="waves"),
    path("tracks/bulk/", actions.bulk, name="bulk"),
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
    path("tracks/<uuid:pk>/neighbours/<uuid:other>/thumb/", thumbs.give, name="thumb"),
    path("thumbs/", thumbs.index, name="thumbs"),
    path("playlists/", playlists.index, name="playlists"),
    path("playlists/build/", playlist_builder.build, name="playlist-build"),
    path("playlists/add/", playlists.add, name="playlist-add"),
    path("playlists/<uuid:pk>/", playlists.page, name="playlist"),
    path("playlists/<uuid:pk>/edit/", playlists.edit, name="playlist-edit"),
    path("playlists/<uuid:pk>/entries/", playlists.entries, name="playlist-entries"),
    path("playlists/<uuid:pk>/delete/", playlists.delete, name="playlist-delete"),
    path("playlists/<uuid:pk>/files/<slug:kind>/", playlists.file, name="playlist-file"),
    path("catalogue/", catalogue.browse, name="catalogue"),
    path("moods/", moods.moods, name="moods"),
    path("moods/<slug:slug>/", moods.mood, name="mood"),
    path("reanalyses/<slug:scope>/watch/", reanalysis.watch, name="reanalysis-watch"),
    path("reanalyses/<slug:scope>/begin/", reanalysis.begin, name="reanalysis-begin"),
    path("reanalyses/<int:pk>/", reanalysis.changes, name="reanalysis"),
    path("reanalyses/<int:pk>/steer/", reanalysis.steer, name="reanalysis-steer"),
]
