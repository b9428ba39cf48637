// The curves of a training run: drawn from the figures that come with each answer of the page's poll.
import uPlot from "../../vendor/uplot/uPlot.esm.js";

const section = document.querySelector("[data-curves]");
const HEIGHT = 240;
const charts = new Map();
const probe = document.createElement("i");
let drawn = "";

// A canvas does not resolve custom properties and light-dark(), so they are read from an element.
function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

function options(width) {
  const { epoch, train, valid } = section.dataset;
  const axis = { stroke: () => colour("--run-axis"), grid: { stroke: () => colour("--run-grid"), width: 1 }, ticks: { show: false } };
  const line = (label, name, dash) => ({
    label,
    stroke: () => colour(name),
    width: 2,
    dash,
    spanGaps: true,
    points: { size: 5 },
    value: (_, value) => (value == null ? "–" : value.toFixed(3)),
  });
  return {
    width,
    height: HEIGHT,
    scales: { x: { time: false } },
    axes: [{ ...axis, incrs: [1, 2, 5, 10, 20, 50, 100] }, { ...axis, size: 48 }],
    series: [{ label: epoch }, line(train, "--run-train"), line(valid, "--run-valid", [6, 4])],
  };
}

function draw(rows) {
  section.hidden = rows.length === 0;
  if (section.hidden) return;
  const column = (name) => rows.map((row) => row[name]);
  for (const place of section.querySelectorAll("[data-curve]")) {
    const what = place.dataset.curve;
    const data = [column("number"), column(what), column(`val_${what}`)];
    if (charts.has(place)) charts.get(place).setData(data);
    else charts.set(place, new uPlot(options(place.clientWidth), data, place));
  }
  const figure = (value, digits) => (value == null ? "–" : value.toFixed(digits));
  section.querySelector("[data-figures]").replaceChildren(
    ...rows.map((row) => {
      const line = document.createElement("tr");
      const cells = [row.number, figure(row.loss, 4), figure(row.accuracy, 3), figure(row.val_loss, 4), figure(row.val_accuracy, 3), figure(row.seconds, 1)];
      line.append(
        ...cells.map((text, index) => {
          const cell = document.createElement(index ? "td" : "th");
          if (!index) cell.scope = "row";
          cell.textContent = text;
          return cell;
        }),
      );
      return line;
    }),
  );
}

function look() {
  const text = document.getElementById("run-epochs")?.textContent ?? "[]";
  if (text === drawn) return;
  drawn = text;
  draw(JSON.parse(text));
}

if (section) {
  probe.hidden = true;
  section.append(probe);
  look();
  document.addEventListener("htmx:afterSettle", look);
  new ResizeObserver(() => {
    for (const [place, chart] of charts) {
      if (place.clientWidth && place.clientWidth !== chart.width) chart.setSize({ width: place.clientWidth, height: HEIGHT });
    }
  }).observe(section);
  // Colours are read when something is drawn: light and dark change them.
  new MutationObserver(() => charts.forEach((chart) => chart.redraw())).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
}
