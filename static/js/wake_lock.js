// Keeps the screen of a phone on: with it off, some phones take the microphone away.

let lock = null;
let wanted = false;

async function request() {
  try {
    lock = await navigator.wakeLock.request("screen");
    if (!wanted) letSleep();
  } catch {
    // The battery is low, or the page is in the background.
  }
}

// The browser lets go of the lock when the page is hidden.
document.addEventListener("visibilitychange", () => {
  if (wanted && navigator.wakeLock && document.visibilityState === "visible") request();
});

export function stayAwake() {
  wanted = true;
  if (navigator.wakeLock) request();
}

export function letSleep() {
  wanted = false;
  lock?.release();
  lock = null;
}
