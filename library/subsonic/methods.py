"""The methods that this server has, by name."""

from __future__ import annotations

from typing import Final

from genreweb.accounts.scopes import Scope
from library.subsonic import browse, lists, media, playlists, similar, system, transcoding
from library.subsonic.calls import Method

PUBLIC: Final = "getOpenSubsonicExtensions"
"""The one that anybody may call."""
STREAM_AS_DECIDED: Final = "getTranscodeStream"
"""The one that fails with statuses of HTTP."""

METHODS: Final = {
    "ping": Method(system.ping),
    "getLicense": Method(system.get_license),
    "tokenInfo": Method(system.token_info),
    "getUser": Method(system.get_user),
    "getMusicFolders": Method(system.get_music_folders),
    "getScanStatus": Method(system.get_scan_status),
    "scrobble": Method(system.scrobble),
    "getStarred": Method(system.get_starred),
    "getStarred2": Method(system.get_starred2),
    "getArtists": Method(browse.get_artists),
    "getIndexes": Method(browse.get_indexes),
    "getMusicDirectory": Method(browse.get_music_directory),
    "getArtist": Method(browse.get_artist),
    "getArtistInfo": Method(browse.get_artist_info),
    "getArtistInfo2": Method(browse.get_artist_info2),
    "getAlbum": Method(browse.get_album),
    "getSong": Method(browse.get_song),
    "getAlbumList": Method(lists.get_album_list),
    "getAlbumList2": Method(lists.get_album_list2),
    "getGenres": Method(lists.get_genres),
    "getSongsByGenre": Method(lists.get_songs_by_genre),
    "getRandomSongs": Method(lists.get_random_songs),
    "search2": Method(lists.search2),
    "search3": Method(lists.search3),
    "getSimilarSongs": Method(similar.get_similar_songs),
    "getSimilarSongs2": Method(similar.get_similar_songs2),
    "getSonicSimilarTracks": Method(similar.get_sonic_similar_tracks),
    "findSonicPath": Method(similar.find_sonic_path),
    "stream": Method(media.stream),
    "download": Method(media.download),
    "getCoverArt": Method(media.get_cover_art),
    "getTranscodeDecision": Method(transcoding.get_transcode_decision),
    STREAM_AS_DECIDED: Method(transcoding.get_transcode_stream),
    "getPlaylists": Method(playlists.get_playlists),
    "getPlaylist": Method(playlists.get_playlist),
    "createPlaylist": Method(playlists.create_playlist, Scope.UPLOAD),
    "updatePlaylist": Method(playlists.update_playlist, Scope.UPLOAD),
    "deletePlaylist": Method(playlists.delete_playlist, Scope.UPLOAD),
}
