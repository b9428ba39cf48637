// The recorder's page: every recording is added to the list of takes.

import { isRecording, startRecorder } from "./recorder.js";
import { settings } from "./sending.js";
import { showKept, Take, unkept } from "./takes.js";

const config = settings("record-settings");

showKept(config);
startRecorder(config, (recording) => {
  const take = new Take({ ...recording, config });
  take.row.querySelector("[data-send]").focus();
});

addEventListener("beforeunload", (event) => {
  if (isRecording() || unkept()) event.preventDefault();
});
