// The player of the site: a bar at the bottom of the page, its queue, and the buttons that start a sound.
//
// In HTML: <button data-play="URL" data-title="…" data-track="ID" data-href="PAGE"
// data-duration="SECONDS" [data-at="SECONDS"] [data-artist="…"] [data-cover="URL"]>.
// Started inside of [data-queue], the other tracks in it follow. <button data-play-all="#list"> plays them all,
// <button data-enqueue="ID"> adds one track.
// In JavaScript, from ./player.js, "player":
//   player.play({ url, title, track, href, duration, at })  starts a sound, and stops the one that played
//   player.playAll(sounds, at)  replaces the queue
//   player.toggle(), player.pause(), player.seek(seconds), player.stop(), player.next(), player.previous()
//   player.sound {url, title, track, href, key} or null; player.time; player.duration; player.playing
//   player.holds(key): is this the loaded sound? A key is the track's id or, without one, the URL.
// Events on `document`, each with detail {sound, time, duration, playing}:
//   player:play, player:pause, player:time (up to 60 times a second), player:seek, player:end, player:error,
//   player:queue (the queue or a setting has changed)

import { lead } from "./player/graph.js";
import { keepSettings, keepState, keptState, settings } from "./player/kept.js";
import { announce, report, steer } from "./player/media_session.js";
import { Queue, REPEATS } from "./player/queue.js";
import { SeekBar } from "./player/seek_bar.js";
import { fetchSounds, isTrack, soundOf } from "./player/sounds.js";
import { Spectrum } from "./player/spectrum.js";

const LEAP = 5;
// Sooner, "previous" goes to the sound before; later, to the start of this one.
const RESTART = 3;
export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];

const bar = document.getElementById("player");
const audio = new Audio();
audio.preload = "metadata";
export const queue = new Queue();

let sound = null;
let frame = 0;
// The sound whose link was asked for anew, and whether that is being asked.
let renewed = "";
let asking = false;
// Whether the sound should play, also while it cannot yet.
let wanted = false;

const part = (name) => bar.querySelector(`[data-player="${name}"]`);
const spectrum = new Spectrum(part("spectrum"), () => player.playing);

export const player = {
  get sound() {
    return sound;
  },
  get time() {
    return audio.currentTime;
  },
  get duration() {
    // Recordings of browsers have no duration; the page may know it.
    return Number.isFinite(audio.duration) ? audio.duration : (sound?.duration ?? 0);
  },
  get playing() {
    return sound !== null && !audio.paused;
  },
  holds(key) {
    return sound !== null && sound.key === key;
  },
  play({ url, title = "", track = "", href = "", duration = 0, artist = "", cover = "", at = null }) {
    const key = track || url;
    if (!this.holds(key)) {
      const next = { url, title, track, href, duration, artist, cover, key };
      if (isTrack(next)) {
        if (queue.find(track) < 0) queue.add([next], { next: true });
        queue.at = queue.find(track);
      }
      load(next, at ?? 0);
    } else if (at !== null) {
      this.seek(at);
    } else if (audio.ended) {
      audio.currentTime = 0;
    }
    return begin();
  },
  playAll(sounds, at = 0) {
    const tracks = sounds.filter(isTrack);
    if (!tracks.length) return undefined;
    queue.set(tracks, Math.min(at, tracks.length - 1));
    return go(queue.at);
  },
  // Gives how many were added: those that are there already are not.
  enqueue(sounds) {
    const count = queue.add(sounds.filter(isTrack));
    if (!sound && count) {
      queue.at = 0;
      load({ ...queue.items[0], key: queue.items[0].track }, 0);
    }
    tell("queue");
    return count;
  },
  next() {
    const place = queue.following();
    if (place >= 0) go(place);
  },
  previous() {
    const place = queue.preceding();
    if (audio.currentTime > RESTART || place < 0) this.seek(0);
    else go(place);
  },
  jump(place) {
    return go(place);
  },
  get volume() {
    return settings.muted ? 0 : settings.volume;
  },
  setVolume(volume, muted = false) {
    settings.volume = Math.min(1, Math.max(0, volume));
    settings.muted = muted;
    adjust();
  },
  mute() {
    this.setVolume(settings.volume || 0.5, !settings.muted);
  },
  get speed() {
    return settings.speed;
  },
  setSpeed(speed) {
    if (!SPEEDS.includes(speed)) return;
    settings.speed = speed;
    adjust();
  },
  setRepeat(repeat) {
    queue.repeat = REPEATS.includes(repeat) ? repeat : "off";
    tell("queue");
  },
  setShuffle(on) {
    queue.shuffle(on);
    tell("queue");
  },
  toggle() {
    if (!sound) return;
    if (audio.paused) begin();
    else this.pause();
  },
  pause() {
    wanted = false;
    audio.pause();
  },
  seek(seconds) {
    if (!sound) return;
    const end = this.duration || Infinity;
    audio.currentTime = Math.min(Math.max(0, seconds), end);
    tell("seek");
    seekBar.draw();
    inform();
  },
  stop() {
    this.pause();
    sound = null;
    audio.removeAttribute("src");
    audio.load();
    bar.hidden = true;
    document.body.classList.remove("has-player");
    keep();
    mark();
    tell("queue");
  },
  close() {
    queue.set([], -1);
    this.stop();
  },
};

const seekBar = new SeekBar(part, player, LEAP);

function begin() {
  wanted = true;
  return audio.play().catch(refused);
}

// Plays the sound at a place of the queue.
function go(place) {
  const item = queue.items[place];
  if (!item) return undefined;
  queue.at = place;
  if (player.holds(item.track)) audio.currentTime = 0;
  else load({ ...item, key: item.track }, 0);
  tell("queue");
  return begin();
}

function load(next, at) {
  if (sound && !audio.paused) audio.pause();
  sound = next;
  audio.src = at > 0 ? `${next.url}#t=${at}` : next.url;
  if (at > 0) audio.currentTime = at;
  adjust();
  bar.hidden = false;
  document.body.classList.add("has-player");
  bar.classList.remove("is-broken");
  part("state").textContent = "";
  const title = part("title");
  title.textContent = next.title;
  if (next.href) title.setAttribute("href", next.href);
  else title.removeAttribute("href");
  part("artist").textContent = next.artist ?? "";
  announce(sound);
  seekBar.draw();
  tell("queue");
}

function inform() {
  if (sound) report(player, audio.playbackRate);
}

function adjust() {
  audio.volume = settings.volume;
  audio.muted = settings.muted;
  audio.defaultPlaybackRate = settings.speed;
  audio.playbackRate = settings.speed;
  keepSettings();
  inform();
  tell("queue");
}

function refused(error) {
  // Another sound was started meanwhile, or the browser requires a click first: neither is an error.
  if (error.name === "AbortError" || error.name === "NotAllowedError") mark();
  // What is told of a link that was renewed meanwhile has no error on the element any more.
  else if (audio.error) renew();
}

// The link may have expired while the queue was kept: one that is asked for anew plays on at the same place.
async function renew() {
  const failed = sound;
  // A refused start and the element's error tell of the same fault.
  if (asking) return undefined;
  if (!isTrack(failed) || renewed === failed.key) return broken();
  renewed = failed.key;
  asking = true;
  const at = audio.currentTime || failed.at || 0;
  let fresh = [];
  try {
    fresh = await fetchSounds(queue.items.map((item) => item.track));
  } catch {
    return broken();
  } finally {
    asking = false;
  }
  const byTrack = new Map(fresh.map((each) => [each.track, each]));
  for (let place = queue.items.length - 1; place >= 0; place -= 1) {
    const known = byTrack.get(queue.items[place].track);
    if (known) Object.assign(queue.items[place], known);
    // It was deleted, or is not for this person.
    else queue.remove(place);
  }
  // Another one may have been started meanwhile, whose link has expired too.
  if (sound !== failed && !(isTrack(sound) && audio.error)) return tell("queue");
  const known = byTrack.get(sound.track);
  if (!known) return queue.items.length ? broken() : player.stop();
  // Somebody may have pressed the button meanwhile.
  const plays = wanted;
  load({ ...known, key: known.track }, sound === failed ? at : 0);
  return plays ? begin() : undefined;
}

function broken() {
  if (!sound) return undefined;
  bar.classList.add("is-broken");
  part("state").textContent = bar.dataset.broken;
  tell("error");
  mark();
  return undefined;
}

function tell(what) {
  const detail = { sound, time: player.time, duration: player.duration, playing: player.playing };
  document.dispatchEvent(new CustomEvent(`player:${what}`, { detail }));
}

function mark() {
  for (const button of document.querySelectorAll("[data-play]")) {
    const here = player.holds(button.dataset.track || button.dataset.play);
    // The duration of a recording is known once it is analysed.
    if (here && !sound.duration) sound.duration = Number(button.dataset.duration ?? 0);
    button.classList.toggle("is-playing", here && player.playing);
    button.classList.toggle("is-loaded", here);
    button.setAttribute("aria-pressed", String(here && player.playing));
  }
  bar.classList.toggle("is-playing", player.playing);
  part("next").disabled = queue.following() < 0;
  part("toggle").setAttribute("aria-pressed", String(player.playing));
}

function tick() {
  seekBar.draw();
  tell("time");
  frame = player.playing ? requestAnimationFrame(tick) : 0;
}

function keep() {
  // Recordings exist on this page only.
  const mine = isTrack(sound) ? sound : null;
  if (!mine && !queue.items.length) return keepState(null);
  return keepState({ sound: mine, time: mine ? audio.currentTime : 0, playing: Boolean(mine) && player.playing, queue: queue.state() });
}

function resume() {
  const kept = keptState();
  queue.restore(kept?.queue);
  const last = kept?.sound ?? queue.current;
  if (!isTrack(last)) return;
  load({ ...last, key: last.track, at: kept.time }, kept.time ?? 0);
  if (kept.playing) begin();
}

audio.addEventListener("play", () => {
  mark();
  tell("play");
  inform();
  lead(audio, sound.url, (analyser) => spectrum.connect(analyser));
  spectrum.start();
  if (!frame) frame = requestAnimationFrame(tick);
});
audio.addEventListener("pause", () => {
  // The system may pause it too. One sound's pause may be reported when the next one plays already.
  if (audio.paused && !asking) wanted = false;
  mark();
  tell("pause");
  seekBar.draw();
  inform();
  keep();
});
audio.addEventListener("ended", () => {
  mark();
  tell("end");
  const place = isTrack(sound) ? queue.following(true) : -1;
  if (place >= 0) go(place);
});
audio.addEventListener("loadedmetadata", () => {
  renewed = "";
  seekBar.draw();
  inform();
  tell("time");
});
audio.addEventListener("seeked", () => {
  seekBar.draw();
  tell("time");
});
audio.addEventListener("error", () => sound && audio.error && audio.getAttribute("src") && renew());

// Other <audio controls> on the page must not play at the same time.
document.addEventListener(
  "play",
  (event) => event.target !== audio && event.target instanceof HTMLMediaElement && audio.pause(),
  true,
);

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-play]");
  const all = event.target.closest("[data-play-all]");
  if (all) player.playAll(soundsIn(document.querySelector(all.dataset.playAll)));
  if (!button) return;
  event.preventDefault();
  start(button);
});

function soundsIn(list) {
  return [...(list?.querySelectorAll("[data-play]") ?? [])].map(soundOf);
}

function start(button) {
  const chosen = soundOf(button);
  const { at } = button.dataset;
  if (at === undefined && player.holds(chosen.track || chosen.url)) return player.toggle();
  const list = button.closest("[data-queue]");
  if (at !== undefined || !list || !isTrack(chosen)) return player.play({ ...chosen, at: at === undefined ? null : Number(at) });
  const sounds = soundsIn(list);
  return player.playAll(sounds, sounds.findIndex((each) => each.track === chosen.track));
}

part("toggle").addEventListener("click", () => player.toggle());
part("close").addEventListener("click", () => player.close());
part("next").addEventListener("click", () => player.next());
part("previous").addEventListener("click", () => player.previous());
steer(player, LEAP);

document.addEventListener("tracks-gone", (event) => {
  const { ids } = event.detail;
  if (sound && ids.includes(sound.track)) player.stop();
  for (let place = queue.items.length - 1; place >= 0; place -= 1) {
    if (ids.includes(queue.items[place].track)) queue.remove(place);
  }
  tell("queue");
});
document.addEventListener("player:queue", mark);
document.addEventListener("htmx:afterSettle", () => mark());
document.addEventListener("htmx:oobAfterSwap", () => mark());
addEventListener("pagehide", keep);
adjust();
resume();
mark();
