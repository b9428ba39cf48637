// The player of the site: a bar at the bottom of the page, and the buttons that start a sound.
//
// In HTML: <button data-play="URL" data-title="…" data-track="ID" data-href="PAGE"
// data-duration="SECONDS" [data-at="SECONDS"]>.
// In JavaScript, from ./player.js, "player" and "clock":
//   player.play({ url, title, track, href, duration, at })  starts a sound, and stops the one that played
//   player.toggle(), player.pause(), player.seek(seconds), player.stop()
//   player.sound {url, title, track, href, key} or null; player.time; player.duration; player.playing
//   player.holds(key): is this the loaded sound? A key is the track's id or, without one, the URL.
// Events on `document`, each with detail {sound, time, duration, playing}:
//   player:play, player:pause, player:time (up to 60 times a second), player:seek, player:end, player:error

const KEPT = "player";
const LEAP = 5;

const bar = document.getElementById("player");
const audio = new Audio();
audio.preload = "metadata";

let sound = null;
let dragging = false;
let frame = 0;

const part = (name) => bar.querySelector(`[data-player="${name}"]`);

export function clock(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "0:00";
  const whole = Math.floor(seconds);
  const rest = String(whole % 60).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes}:${rest}`
    : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

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
  play({ url, title = "", track = "", href = "", duration = 0, at = null }) {
    const key = track || url;
    if (!this.holds(key)) {
      load({ url, title, track, href, duration, key }, at ?? 0);
    } else if (at !== null) {
      this.seek(at);
    } else if (audio.ended) {
      audio.currentTime = 0;
    }
    return audio.play().catch(refused);
  },
  toggle() {
    if (!sound) return;
    if (audio.paused) audio.play().catch(refused);
    else audio.pause();
  },
  pause() {
    audio.pause();
  },
  seek(seconds) {
    if (!sound) return;
    const end = this.duration || Infinity;
    audio.currentTime = Math.min(Math.max(0, seconds), end);
    tell("seek");
    draw();
  },
  stop() {
    audio.pause();
    sound = null;
    audio.removeAttribute("src");
    audio.load();
    forget();
    bar.hidden = true;
    document.body.classList.remove("has-player");
    mark();
  },
};

function load(next, at) {
  if (sound && !audio.paused) audio.pause();
  sound = next;
  audio.src = at > 0 ? `${next.url}#t=${at}` : next.url;
  if (at > 0) audio.currentTime = at;
  bar.hidden = false;
  document.body.classList.add("has-player");
  bar.classList.remove("is-broken");
  const title = part("title");
  title.textContent = next.title;
  if (next.href) title.setAttribute("href", next.href);
  else title.removeAttribute("href");
  if ("mediaSession" in navigator) {
    navigator.mediaSession.metadata = new MediaMetadata({ title: next.title, artist: "Genreweb" });
  }
  draw();
}

function refused(error) {
  // Another sound was started meanwhile, or the browser requires a click first: neither is an error.
  if (error.name === "AbortError" || error.name === "NotAllowedError") mark();
  else broken();
}

function broken() {
  if (!sound) return;
  bar.classList.add("is-broken");
  part("state").textContent = bar.dataset.broken;
  tell("error");
  mark();
}

function tell(what) {
  const detail = { sound, time: player.time, duration: player.duration, playing: player.playing };
  document.dispatchEvent(new CustomEvent(`player:${what}`, { detail }));
}

function draw() {
  const seek = part("seek");
  const { time, duration } = player;
  seek.max = String(duration || 1);
  if (!dragging) seek.value = String(time);
  const shown = dragging ? Number(seek.value) : time;
  seek.style.setProperty("--played", duration ? String(shown / duration) : "0");
  seek.setAttribute("aria-valuetext", `${clock(shown)} / ${clock(duration)}`);
  part("time").textContent = clock(shown);
  part("duration").textContent = clock(duration);
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
  part("toggle").setAttribute("aria-pressed", String(player.playing));
}

function tick() {
  draw();
  tell("time");
  frame = player.playing ? requestAnimationFrame(tick) : 0;
}

function keep() {
  // Playback continues on the next page, except for recordings that exist only on this one.
  if (!player.playing || sound.url.startsWith("blob:")) return forget();
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ sound, time: audio.currentTime }));
  } catch {
    // Private windows may refuse storage: then playback ends with the page.
  }
  return undefined;
}

function forget() {
  try {
    sessionStorage.removeItem(KEPT);
  } catch {
    // As above.
  }
}

function resume() {
  let kept = null;
  try {
    kept = JSON.parse(sessionStorage.getItem(KEPT));
  } catch {
    return;
  }
  if (!kept?.sound?.url) return;
  load(kept.sound, kept.time);
  audio.play().catch(refused);
}

audio.addEventListener("play", () => {
  mark();
  tell("play");
  if (!frame) frame = requestAnimationFrame(tick);
});
audio.addEventListener("pause", () => {
  mark();
  tell("pause");
  draw();
});
audio.addEventListener("ended", () => {
  mark();
  tell("end");
});
audio.addEventListener("loadedmetadata", () => {
  draw();
  tell("time");
});
audio.addEventListener("seeked", () => {
  draw();
  tell("time");
});
audio.addEventListener("error", () => sound && audio.getAttribute("src") && broken());

// Other <audio controls> on the page must not play at the same time.
document.addEventListener(
  "play",
  (event) => event.target !== audio && event.target instanceof HTMLMediaElement && audio.pause(),
  true,
);

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-play]");
  if (!button) return;
  event.preventDefault();
  const { play: url, title, track, href, duration, at } = button.dataset;
  if (at === undefined && player.holds(track || url)) player.toggle();
  else player.play({ url, title, track, href, duration: Number(duration ?? 0), at: at === undefined ? null : Number(at) });
});

part("toggle").addEventListener("click", () => player.toggle());
part("close").addEventListener("click", () => player.stop());
const seek = part("seek");
seek.addEventListener("input", () => {
  dragging = true;
  draw();
});
seek.addEventListener("change", () => {
  dragging = false;
  player.seek(Number(seek.value));
});
bar.addEventListener("keydown", (event) => {
  if (event.key === " " && !event.target.closest("button, a")) {
    event.preventDefault();
    player.toggle();
  } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    event.preventDefault();
    player.seek(player.time + (event.key === "ArrowRight" ? LEAP : -LEAP));
  }
});

if ("mediaSession" in navigator) {
  const actions = {
    play: () => player.toggle(),
    pause: () => player.pause(),
    stop: () => player.stop(),
    seekbackward: () => player.seek(player.time - LEAP),
    seekforward: () => player.seek(player.time + LEAP),
    seekto: (details) => player.seek(details.seekTime),
  };
  for (const [name, run] of Object.entries(actions)) {
    try {
      navigator.mediaSession.setActionHandler(name, run);
    } catch {
      // Not every browser knows every action.
    }
  }
}

document.addEventListener("tracks-gone", (event) => {
  if (sound && event.detail.ids.includes(sound.track)) player.stop();
});
document.addEventListener("htmx:afterSettle", () => mark());
document.addEventListener("htmx:oobAfterSwap", () => mark());
addEventListener("pagehide", keep);
resume();
mark();
