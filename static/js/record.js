// The recorder's page: every recording is added to the list of takes.

import { UnfinishedTake } from "./kept_takes.js";
import { isRecording, startRecorder } from "./recorder.js";
import { settings } from "./sending.js";
import { nextNumber, showKept, Take, unkept } from "./takes.js";

const config = settings("record-settings");

let unfinished = null;

function keepPiece(piece) {
  if (unfinished?.started !== piece.started) {
    unfinished?.end();
    unfinished = new UnfinishedTake({
      id: crypto.randomUUID(),
      owner: config.owner,
      number: nextNumber(),
      started: piece.started,
    });
  }
  unfinished.add(piece);
}

async function finish(recording) {
  const begun = unfinished?.started === recording.started ? unfinished : null;
  const id = begun?.id ?? crypto.randomUUID();
  const take = new Take({ ...recording, id, number: begun?.number ?? nextNumber(), config });
  take.row.querySelector("[data-send]").focus();
  await take.keeping;
  if (take.kept) begun?.end();
}

showKept(config);
startRecorder(config, finish, keepPiece);

addEventListener("beforeunload", (event) => {
  if (isRecording() || unkept()) event.preventDefault();
});
