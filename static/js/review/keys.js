// Keyboard shortcuts. They are off while a text field has the focus or a dialog is open.

const WRITABLE = "input, textarea, select, [contenteditable]";

// The letter or digit of a key, independent of the keyboard's alphabet.
function meaning(event) {
  if (/^[a-z0-9?]$/i.test(event.key)) return event.key.toLowerCase();
  if (event.key === " " || event.key === "Escape") return event.key;
  return /^(?:Key|Digit)(.)$/.exec(event.code)?.[1].toLowerCase() ?? event.key;
}

// `press` is called with each key; unknown keys are left to the browser.
export function listen(press) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.repeat || event.isComposing) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const key = meaning(event);
    const writes = event.target.closest?.(WRITABLE) && event.target.type !== "range";
    if (writes && key !== "Escape") return;
    // The space bar activates the focused button and pages sliders.
    if (key === " " && event.target.closest?.("button, a, summary")) return;
    if (press(key)) event.preventDefault();
  });
}
