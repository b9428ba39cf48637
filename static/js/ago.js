// Times that count on: "3 minutes ago" of [data-relative] is brought up to date while the page is open.

const EVERY = 20_000;
const DAY = 20 * 3600;
const UNITS = [
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];
const words = new Intl.RelativeTimeFormat(document.documentElement.lang);

function update() {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const passed = (Date.now() - new Date(time.dateTime)) / 1000;
    // Older ones have a date, which stays.
    if (!(passed >= 1 && passed < DAY)) continue;
    const [unit, seconds] = UNITS.find(([, least]) => passed >= least);
    const text = words.format(-Math.floor(passed / seconds), unit);
    if (time.textContent !== text) time.textContent = text;
  }
}

setInterval(() => document.hidden || update(), EVERY);
document.addEventListener("visibilitychange", () => document.hidden || update());
document.addEventListener("htmx:afterSettle", update);
