// Tells what a genre is where its name or colour is pointed at or focused: [data-genre="blues country"].

const GAP = 8;
const LATER = 120;

const tip = document.createElement("div");
tip.className = "genre-tip";
tip.id = "genre-tip";
tip.setAttribute("role", "tooltip");
tip.hidden = true;
document.body.append(tip);

let known = null;
let place = null;
let timer = 0;

function genres() {
  known ??= fetch(document.body.dataset.genres, { headers: { Accept: "application/json" } })
    .then((response) => (response.ok ? response.json() : []))
    .then((list) => new Map(list.map((genre) => [genre.slug, genre])))
    .catch(() => {
      // The next one asks again.
      known = null;
      return new Map();
    });
  return known;
}

async function show(target) {
  place = target;
  const all = await genres();
  const told = target.dataset.genre.split(" ").map((slug) => all.get(slug)).filter((genre) => genre?.description);
  if (place !== target || !target.isConnected || !told.length) return;
  tip.replaceChildren(
    ...told.map(({ name, description }) => {
      const line = document.createElement("p");
      const strong = document.createElement("strong");
      strong.textContent = `${name}: `;
      line.append(strong, description);
      return line;
    }),
  );
  tip.hidden = false;
  const box = target.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = tip;
  const below = box.bottom + GAP + height < innerHeight;
  tip.style.setProperty("--top", `${below ? box.bottom + GAP : Math.max(GAP, box.top - GAP - height)}px`);
  tip.style.setProperty("--left", `${Math.max(GAP, Math.min(box.left, innerWidth - width - GAP))}px`);
  // A dialog lies above everything else.
  (target.closest("dialog") ?? document.body).append(tip);
  target.setAttribute("aria-describedby", tip.id);
}

function hide() {
  clearTimeout(timer);
  place?.removeAttribute("aria-describedby");
  place = null;
  tip.hidden = true;
}

document.addEventListener("pointerover", (event) => {
  const target = event.target.closest?.("[data-genre]");
  if (target === place || tip.contains(event.target)) return;
  hide();
  if (target) timer = setTimeout(() => show(target), LATER);
});
document.addEventListener("focusin", (event) => {
  const target = event.target.closest?.("[data-genre]");
  hide();
  if (target && event.target.matches(":focus-visible")) show(target);
});
document.addEventListener("focusout", hide);
document.addEventListener("scroll", hide, { passive: true, capture: true });
// Escape hides it until the pointer or the focus comes back (WCAG 1.4.13).
document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
