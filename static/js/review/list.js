// The list of clips: says what came of a bulk decision, with the way back.
import { toast } from "../site.js";

document.addEventListener("review-done", (event) => {
  const { text, clips, url } = event.detail;
  if (!text) return;
  const label = document.getElementById("toasts").dataset.undo;
  const run = () => htmx.ajax("POST", url, { source: document.body, swap: "none", values: { clip: clips } });
  toast(text, "", clips.length && label ? { label, run } : null);
});
