// What the site tells while something goes on: one connection per page, open only while the page waits for something.
// Where it cannot be had (too many listen, or a proxy holds answers back), pages ask every other second instead.

const OPEN_WITHIN = 5000;
// The site sends a sign of life every ten seconds.
const SILENCE = 25_000;
const HIDDEN = 20_000;
// After an event, the page asks for what has changed; then it may wait for nothing more.
const SETTLED = 2000;
const FIRST_PAUSE = 10_000;
const LONGEST_PAUSE = 300_000;
const KINDS = ["track", "upload", "run", "clip", "check", "explanation", "reanalysis"];

const wants = [];
const listeners = [];
let source = null;
let watchdog = 0;
let hiding = 0;
let settling = 0;
let pause = FIRST_PAUSE;
let notBefore = 0;
let ended = false;

// Whether events arrive now, so that asking is needed only now and then.
export let connected = false;

function needed() {
  return wants.some((want) => want());
}

function notify(kind, data) {
  for (const listener of listeners) listener(kind, data);
}

function close() {
  clearTimeout(watchdog);
  clearTimeout(settling);
  source?.close();
  source = null;
  connected = false;
}

function giveUp() {
  close();
  notBefore = performance.now() + pause;
  setTimeout(check, pause);
  pause = Math.min(pause * 2, LONGEST_PAUSE);
}

function alive() {
  clearTimeout(watchdog);
  clearTimeout(settling);
  watchdog = setTimeout(giveUp, SILENCE);
  settling = setTimeout(() => needed() || close(), SETTLED);
}

function open() {
  source = new EventSource(document.body.dataset.events);
  watchdog = setTimeout(giveUp, OPEN_WITHIN);
  source.addEventListener("open", () => {
    alive();
    connected = true;
    // What happened before is asked for once.
    notify("open", {});
  });
  source.addEventListener("heartbeat", () => {
    pause = FIRST_PAUSE;
    alive();
  });
  source.addEventListener("error", () => {
    connected = false;
    // A stream that ended is opened again by the browser; one that was refused is not.
    if (source?.readyState === EventSource.CLOSED) giveUp();
    else alive();
  });
  for (const kind of KINDS) {
    source.addEventListener(kind, (event) => {
      alive();
      notify(kind, JSON.parse(event.data));
    });
  }
}

// Opens the connection where the page waits for something. It is closed soon after it does not.
export function check() {
  if (source || ended || document.hidden || performance.now() < notBefore || !needed()) return;
  if (document.body.dataset.person && document.body.dataset.events) open();
}

// `want()`: whether the page waits; `listener(kind, data)` is called with each event, and with "open" before the first.
export function listen(want, listener) {
  wants.push(want);
  listeners.push(listener);
  check();
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) hiding = setTimeout(close, HIDDEN);
  else check();
});
addEventListener("pagehide", () => {
  ended = true;
  close();
});
addEventListener("pageshow", () => {
  ended = false;
  check();
});
