// Plays a list from its first track to its last: <button data-play-all="ID"> beside an element with that id
// which holds the play buttons.

import { player } from "./player.js";

let list = "";

const buttons = () => [...document.querySelectorAll(`#${CSS.escape(list)} [data-play]`)];
const keyOf = (button) => button.dataset.track || button.dataset.play;

function play(button) {
  const { play: url, title, track, href, duration } = button.dataset;
  player.play({ url, title, track, href, duration: Number(duration ?? 0), at: 0 });
}

document.addEventListener("click", (event) => {
  const all = event.target.closest("[data-play-all]");
  if (!all) return;
  list = all.dataset.playAll;
  const [first] = buttons();
  if (first) play(first);
});

document.addEventListener("player:end", (event) => {
  if (!list) return;
  const order = buttons();
  const place = order.findIndex((button) => keyOf(button) === event.detail.sound?.key);
  if (place < 0) list = "";
  else if (place + 1 < order.length) play(order[place + 1]);
});
