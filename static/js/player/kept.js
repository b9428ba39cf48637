// What the player remembers: this window's state from page to page, and the last one for the next visit.

const STATE = "player";
const SETTINGS = "player-settings";
const who = document.body.dataset.person ?? "";

function read(storage, name) {
  try {
    return JSON.parse(storage.getItem(name));
  } catch {
    // Private windows may refuse storage.
    return null;
  }
}

function write(storage, name, value) {
  try {
    if (value === null) storage.removeItem(name);
    else storage.setItem(name, JSON.stringify(value));
  } catch {
    // As above.
  }
}

export function keepState(state) {
  write(sessionStorage, STATE, state && { ...state, who });
  write(localStorage, STATE, state && { ...state, who, playing: false });
}

// Who signs in next on this browser does not get the queue of somebody else.
export function keptState() {
  const state = read(sessionStorage, STATE) ?? read(localStorage, STATE);
  return state?.who === who ? state : null;
}

export const settings = { volume: 1, muted: false, speed: 1, keys: true, ...read(localStorage, SETTINGS) };

export function keepSettings() {
  write(localStorage, SETTINGS, settings);
}
