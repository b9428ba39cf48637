// Ways to add files to a page: file dialog, folder dialog, drop anywhere, paste.

import { dropped, looksLikeAudio } from "./dropped.js";

function carriesFiles(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files");
}

function startChoosing(add) {
  const chooser = document.getElementById("files");
  const take = () => {
    add([...chooser.files]);
    chooser.value = "";
  };
  chooser.addEventListener("change", take);
  // On a slow line they may have been chosen before this script was there.
  if (chooser.files.length) take();
  const folder = document.getElementById("folder");
  const button = document.querySelector("[data-folder]");
  if (!("webkitdirectory" in folder) || matchMedia("(pointer: coarse)").matches) {
    button.remove();
    return;
  }
  button.addEventListener("click", () => folder.click());
  folder.addEventListener("change", () => {
    const files = [...folder.files].filter((file) => !file.name.startsWith("."));
    const audio = files.filter(looksLikeAudio);
    add(audio, files.length - audio.length);
    folder.value = "";
  });
}

// Calls `add(files, skipped)`, where `skipped` is the number of files that are not audio.
export function startDropzone(zone, add) {
  startChoosing(add);
  zone.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    zone.classList.add("is-over");
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) zone.classList.remove("is-over");
  });
  addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    zone.classList.remove("is-over");
    const { files, skipped } = await dropped(event.dataTransfer);
    add(files, skipped);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) add(files);
  });
}
