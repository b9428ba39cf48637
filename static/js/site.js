// The script of every page: toasts, the dialog, menus, and messages about failed requests.

const LASTS = 6000;
const toasts = document.getElementById("toasts");
const dialog = document.getElementById("dialog");

// Shows a message that disappears by itself; with an action (label and callback) it stays longer.
export function toast(text, kind = "", action = null) {
  const card = document.createElement("div");
  card.className = `toast-card${kind ? ` is-${kind}` : ""}`;
  const line = document.createElement("p");
  line.textContent = text;
  card.append(line);
  if (action) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = action.label;
    button.addEventListener("click", () => {
      card.remove();
      action.run();
    });
    card.append(button);
  }
  toasts.append(card);
  expire(card, action || kind === "bad" ? 2 * LASTS : LASTS);
  return card;
}

function expire(card, after) {
  let timer = setTimeout(() => card.remove(), after);
  // It stays while it has the pointer or the focus.
  const hold = () => clearTimeout(timer);
  const release = () => {
    clearTimeout(timer);
    timer = setTimeout(() => card.remove(), LASTS);
  };
  card.addEventListener("pointerenter", hold);
  card.addEventListener("focusin", hold);
  card.addEventListener("pointerleave", release);
  card.addEventListener("focusout", release);
}

for (const card of toasts.querySelectorAll(".toast-card")) {
  expire(card, card.classList.contains("is-bad") ? 2 * LASTS : LASTS);
  // Screen readers read what is added to a live region, not what was there from the start.
  setTimeout(() => card.isConnected && toasts.append(card), 150);
}

document.addEventListener("toast", (event) => {
  const { text, kind, undo } = event.detail;
  const run = () => htmx.ajax("POST", undo.url, { values: { track: undo.tracks }, swap: "none" });
  if (text) toast(text, kind, undo ? { label: toasts.dataset.undo, run } : null);
});

// --- the dialog ---
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id === "dialog-content" && event.target.childElementCount && !dialog.open) dialog.showModal();
});
document.addEventListener("dialog-close", () => dialog.close());
dialog.addEventListener("close", () => document.getElementById("dialog-content").replaceChildren());
dialog.addEventListener("click", (event) => {
  if (event.target === dialog || event.target.closest("[data-dialog-close]")) {
    event.preventDefault();
    dialog.close();
  }
});

// --- menus ---
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// --- requests that fail ---
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, requestConfig } = event.detail;
  const { login } = document.body.dataset;
  if (!xhr.responseURL || new URL(xhr.responseURL).pathname !== login) return;
  // The session has ended: show the login page in the whole window, not in a part of the page.
  event.detail.shouldSwap = false;
  if (requestConfig.headers["X-Quiet"]) return;
  location.assign(`${login}?next=${encodeURIComponent(location.pathname + location.search)}`);
});
document.addEventListener("htmx:responseError", (event) => {
  const { status } = event.detail.xhr;
  // A failed poll is repeated without a message; only actions of the user show one.
  if (event.detail.requestConfig.headers["X-Quiet"]) return;
  if (status === 401 || (status === 403 && !event.detail.xhr.responseText)) location.reload();
  else toast(toasts.dataset[status === 404 ? "gone" : "failed"], "bad");
});
document.addEventListener("htmx:sendError", (event) => {
  if (!event.detail.requestConfig.headers["X-Quiet"]) toast(toasts.dataset.offline, "bad");
});

// The site writes moments in this time zone from the next page on.
const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
if (timeZone && !document.cookie.split("; ").includes(`timezone=${timeZone}`)) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `timezone=${timeZone}; path=/; max-age=31536000; samesite=lax${secure}`;
}
