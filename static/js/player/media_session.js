// The lock screen and the media keys of a keyboard: they show what plays, and steer the player.

const session = "mediaSession" in navigator ? navigator.mediaSession : null;

// Shows a sound: {title, artist, cover}.
export function announce({ title, artist, cover }) {
  if (!session) return;
  const artwork = cover ? [{ src: new URL(cover, location.href).href }] : [];
  session.metadata = new MediaMetadata({ title, artist: artist || "Genreweb", artwork });
}

// Shows where the player is.
export function report({ playing, duration, time }, playbackRate) {
  if (!session) return;
  session.playbackState = playing ? "playing" : "paused";
  if (!(duration > 0)) return;
  session.setPositionState({ duration, position: Math.min(time, duration), playbackRate });
}

// Lets the keys steer the player; `leap` is in seconds.
export function steer(player, leap) {
  if (!session) return;
  const actions = {
    play: () => player.toggle(),
    pause: () => player.pause(),
    stop: () => player.stop(),
    seekbackward: () => player.seek(player.time - leap),
    seekforward: () => player.seek(player.time + leap),
    seekto: (details) => player.seek(details.seekTime),
    nexttrack: () => player.next(),
    previoustrack: () => player.previous(),
  };
  for (const [name, run] of Object.entries(actions)) {
    try {
      session.setActionHandler(name, run);
    } catch {
      // Not every browser knows every action.
    }
  }
}
