// The files of a drop, including those in folders.

const AUDIO =
  /\.(aac|ac3|aifc?|aiff|amr|ape|asf|au|caf|dsf|flac|m4a|m4b|mka|mp2|mp3|mp4|mpc|oga|ogg|opus|snd|tta|voc|w64|wave?|weba|webm|wma|wv)$/i;

export function looksLikeAudio(file) {
  return file.type.startsWith("audio/") || AUDIO.test(file.name);
}

function fileOf(entry) {
  return new Promise((resolve) => entry.file(resolve, () => resolve(null)));
}

function childrenOf(folder) {
  const reader = folder.createReader();
  return new Promise((resolve) => {
    const all = [];
    // A reader returns a hundred at a time, and none at the end.
    const more = () =>
      reader.readEntries(
        (some) => {
          if (!some.length) return resolve(all);
          all.push(...some);
          return more();
        },
        () => resolve(all),
      );
    more();
  });
}

async function walk(entry, found) {
  if (entry.isDirectory) {
    for (const child of await childrenOf(entry)) await walk(child, found);
    return;
  }
  const file = await fileOf(entry);
  if (file && !file.name.startsWith(".")) found.push(file);
}

// Returns {files, skipped}. Single files are taken as they are; from folders, only those that look like audio.
export async function dropped(transfer) {
  const items = [...(transfer.items ?? [])].filter((item) => item.kind === "file");
  // Get all entries before the first await: the list is emptied after the event.
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null);
  if (!entries.some((entry) => entry?.isDirectory)) return { files: [...transfer.files], skipped: 0 };
  const files = [];
  let skipped = 0;
  for (const entry of entries) {
    if (!entry) continue;
    const found = [];
    await walk(entry, found);
    const kept = entry.isDirectory ? found.filter(looksLikeAudio) : found;
    skipped += found.length - kept.length;
    files.push(...kept);
  }
  return { files, skipped };
}
