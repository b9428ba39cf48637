// The list of a user's tracks: selecting several, closing menus, and cancelling a renaming with Escape.

function bulk() {
  return document.getElementById("bulk");
}

function picks() {
  return [...document.querySelectorAll("[data-pick]")];
}

function update() {
  const form = bulk();
  if (!form) return;
  const all = picks();
  const chosen = all.filter((box) => box.checked).length;
  const count = form.querySelector("[data-count]");
  count.dataset.whole ??= count.textContent;
  count.textContent = chosen ? count.dataset.chosen.replace("%(count)s", chosen) : count.dataset.whole;
  form.querySelector("[data-bulk-actions]").hidden = chosen === 0;
  const every = form.querySelector("[data-pick-all]");
  every.checked = chosen > 0 && chosen === all.length;
  every.indeterminate = chosen > 0 && chosen < all.length;
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-pick-all]")) {
    for (const box of picks()) box.checked = event.target.checked;
  }
  if (event.target.matches("[data-pick], [data-pick-all]")) update();
});

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
  update();
  const field = event.target.querySelector?.("[data-rename] input[name=title]");
  const form = event.target.matches?.("[data-rename]") ? event.target : null;
  (form?.querySelector("input[name=title]") ?? field)?.select();
});
document.addEventListener("htmx:oobAfterSwap", update);

// Empty filters are left out of the URL.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.target.matches("[data-filters]")) return;
  const parameters = event.detail.parameters;
  for (const name of [...Object.keys(parameters)]) if (parameters[name] === "") delete parameters[name];
});

update();
