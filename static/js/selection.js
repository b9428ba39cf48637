// Lists whose rows can be chosen: choosing all of a page, the number chosen, and the actions for them.

function picks() {
  return [...document.querySelectorAll("[data-pick]")];
}

function update() {
  const form = document.getElementById("bulk");
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

document.addEventListener("htmx:afterSettle", update);
document.addEventListener("htmx:oobAfterSwap", update);

update();
