// Two fingers on an element: how far apart they are and where their middle is. One finger scrolls as anywhere.

const REST = 150;

// Of two pointers in a map by their ids.
function measure(pointers) {
  const [one, other] = [...pointers.values()];
  // Fingers at one point would make the least move an endless stretch.
  return { middle: (one.x + other.x) / 2, distance: Math.max(20, Math.hypot(one.x - other.x, one.y - other.y)) };
}

// `begin(middle)` says whether the gesture is wanted; `move(middle, spread)` is called with the distance of the fingers
// as a multiple of that at the beginning, `rest()` when they pause, `end()` when one is lifted.
export function startPinch(element, { begin, move, rest, end }) {
  // A finger stays with what it touched first, so that all of its events pass here.
  const pointers = new Map();
  let from = null;
  let timer = 0;

  const stop = () => {
    clearTimeout(timer);
    if (!from) return;
    from = null;
    end();
  };

  element.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (pointers.size !== 2) return stop();
    const { middle, distance } = measure(pointers);
    if (begin(middle)) from = distance;
  });
  element.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (!from) return;
    const { middle, distance } = measure(pointers);
    move(middle, distance / from);
    clearTimeout(timer);
    timer = setTimeout(rest, REST);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    element.addEventListener(name, (event) => {
      if (pointers.delete(event.pointerId)) stop();
    });
  }
  // Else the browser zooms the page, or scrolls, and takes the pointers away.
  for (const name of ["touchstart", "touchmove"]) {
    const keep = (event) => {
      if (event.touches.length > 1 && event.cancelable) event.preventDefault();
    };
    element.addEventListener(name, keep, { passive: false });
  }
}
