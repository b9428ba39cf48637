// A short tour: a dialog whose steps point at parts of the page. It begins when asked for, and is offered to who has
// not seen it in this browser.

const dialog = document.getElementById("tour");
const offer = document.querySelector("[data-tour-offer]");
const steps = [...dialog.querySelectorAll("[data-tour-step]")];
const next = dialog.querySelector("[data-tour-next]");
const back = dialog.querySelector("[data-tour-back]");
const place = dialog.querySelector("[data-tour-place]");
const words = next.textContent;
const SEEN = `tour-seen:${document.body.dataset.person}`;

let current = 0;

function seen() {
  try {
    return localStorage.getItem(SEEN) !== null;
  } catch {
    // Private windows may refuse storage: then it is offered again.
    return false;
  }
}

function unpoint() {
  for (const target of document.querySelectorAll(".is-toured")) target.classList.remove("is-toured");
}

function show(number) {
  current = number;
  steps.forEach((step, position) => {
    step.hidden = position !== number;
    step.querySelector("h2").removeAttribute("id");
  });
  const heading = steps[number].querySelector("h2");
  heading.id = "tour-title";
  heading.tabIndex = -1;
  place.textContent = place.dataset.text.replace("%(step)s", number + 1).replace("%(all)s", steps.length);
  back.hidden = number === 0;
  next.textContent = number === steps.length - 1 ? next.dataset.last : words;
  unpoint();
  const target = document.querySelector(steps[number].dataset.at);
  target?.classList.add("is-toured");
  target?.scrollIntoView({ block: "nearest" });
  // So that a screen reader says what the step is about.
  heading.focus({ preventScroll: true });
}

function go(by) {
  if (current + by >= steps.length) dialog.close();
  else if (current + by >= 0) show(current + by);
}

document.querySelector("[data-tour-start]").addEventListener("click", () => {
  dialog.showModal();
  show(0);
});
next.addEventListener("click", () => go(1));
back.addEventListener("click", () => go(-1));
dialog.querySelector("[data-tour-leave]").addEventListener("click", () => dialog.close());
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") go(1);
  if (event.key === "ArrowLeft") go(-1);
  // The keys of the player wait.
  if (event.key !== "Escape") event.stopPropagation();
});
// However it was left.
dialog.addEventListener("close", () => {
  unpoint();
  offer.hidden = true;
  try {
    localStorage.setItem(SEEN, "1");
  } catch {
    // As above.
  }
});

offer.hidden = seen();
