// What is known of sounds: from their buttons on the page, or asked of the site, since links expire.

export function soundOf(button) {
  const { play: url, title, track, href, duration, artist, cover } = button.dataset;
  return { url, title, track, href, duration: Number(duration ?? 0), artist: artist ?? "", cover: cover ?? "" };
}

// Those that are tracks of the library: clips and takes are played once and not queued.
export function isTrack(sound) {
  return Boolean(sound?.track && sound.href);
}

export async function fetchSounds(tracks) {
  if (!tracks.length) return [];
  const query = new URLSearchParams(tracks.map((track) => ["track", track]));
  const response = await fetch(`${document.body.dataset.links}?${query}`, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`the sounds were refused: ${response.status}`);
  return (await response.json()).sounds;
}
