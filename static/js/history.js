// The list of a user's tracks: selecting several, closing menus, and cancelling a renaming with Escape.

import "./selection.js";

document.addEventListener("click", (event) => {
  const item = event.target.closest("[data-menu-close]");
  if (item) item.closest("details").open = false;
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.closest("[data-rename]")) {
    event.target.closest("[data-rename]").querySelector("[data-rename-cancel]").click();
  }
});

document.addEventListener("htmx:afterSettle", (event) => {
  const field = event.target.querySelector?.("[data-rename] input[name=title]");
  const form = event.target.matches?.("[data-rename]") ? event.target : null;
  (form?.querySelector("input[name=title]") ?? field)?.select();
});

// Empty filters are left out of the URL.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.target.matches("[data-filters]")) return;
  const parameters = event.detail.parameters;
  for (const name of [...Object.keys(parameters)]) if (parameters[name] === "") delete parameters[name];
});
