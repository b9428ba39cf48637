// Draws loss and accuracy after each epoch. In HTML: <div data-curves="ID of the json_script"> around elements
// with data-curve="loss" or "accuracy" and the words of the legend in data-training, data-validation, data-epoch.
import uPlot from "../vendor/uplot/uPlot.esm.js";

const HEIGHT = 220;
const drawn = new Map();

// light-dark() is no colour to a canvas: let the browser work it out.
function ink(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function draw(place, data) {
  const { curve, training, validation, epoch } = place.dataset;
  const percent = curve === "accuracy";
  const write = (value) => (value == null ? "–" : percent ? `${Math.round(100 * value)} %` : value.toFixed(3));
  const axis = { stroke: ink("--ink-3"), grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line") } };
  const options = {
    width: Math.max(place.clientWidth, 200),
    height: HEIGHT,
    scales: { x: { time: false }, ...(percent ? { y: { range: [0, 1] } } : {}) },
    cursor: { drag: { x: false, y: false } },
    axes: [
      { ...axis, values: (_plot, splits) => splits.map((value) => (Number.isInteger(value) ? value : "")) },
      { ...axis, size: 52, values: (_plot, splits) => splits.map((value) => (percent ? `${Math.round(100 * value)} %` : +value.toFixed(3))) },
    ],
    series: [
      { label: epoch },
      { label: training, stroke: ink("--ink-3"), width: 2, dash: [6, 4], value: (_plot, value) => write(value), spanGaps: true },
      { label: validation, stroke: ink("--accent"), width: 2, value: (_plot, value) => write(value), spanGaps: true },
    ],
  };
  drawn.get(place)?.destroy();
  drawn.set(place, new uPlot(options, [data.number, data[curve], data[`val_${curve}`]], place));
}

function drawAll() {
  for (const place of drawn.keys()) {
    if (!place.isConnected) {
      drawn.get(place).destroy();
      drawn.delete(place);
    }
  }
  for (const group of document.querySelectorAll("[data-curves]")) {
    const data = JSON.parse(document.getElementById(group.dataset.curves).textContent);
    for (const place of group.querySelectorAll("[data-curve]")) draw(place, data);
  }
}

let timer = 0;
new ResizeObserver(() => {
  clearTimeout(timer);
  timer = setTimeout(drawAll, 100);
}).observe(document.body);
new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
document.addEventListener("htmx:afterSettle", drawAll);
drawAll();
