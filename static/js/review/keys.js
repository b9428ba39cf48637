// Single keys, for hands that stay where they are. They are silent while somebody writes, or a dialog is open.

const WRITABLE = "input, textarea, select, [contenteditable]";

// What a key means: its letter or digit, whatever alphabet the keyboard writes.
function meaning(event) {
  if (/^[a-z0-9?]$/i.test(event.key) || event.key === " " || event.key === "Escape") return event.key.toLowerCase();
  return /^(?:Key|Digit)(.)$/.exec(event.code)?.[1].toLowerCase() ?? event.key;
}

// `press` is given each key; what it does not know is left to the browser.
export function listen(press) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.repeat || event.isComposing) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const key = meaning(event);
    const writes = event.target.closest?.(WRITABLE) && event.target.type !== "range";
    if (writes && key !== "Escape") return;
    // The space bar presses the button that has the focus, and moves sliders' pages.
    if (key === " " && event.target.closest?.("button, a, summary")) return;
    if (press(key)) event.preventDefault();
  });
}
