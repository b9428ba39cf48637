// The list of clips: shows the outcome of a bulk decision, with a button to undo it.
import { toast } from "../site.js";

document.addEventListener("review-done", (event) => {
  const { text, clips, url } = event.detail;
  if (!text) return;
  const label = document.getElementById("toasts").dataset.undo;
  const run = () => htmx.ajax("POST", url, { source: document.body, swap: "none", values: { clip: clips } });
  toast(text, "", clips.length && label ? { label, run } : null);
});
