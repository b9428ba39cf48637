// Takes that wait to be sent, in this browser's IndexedDB: they outlive the page, and each person sees their own.
// While a take is recorded its pieces are kept, so that a page that is closed or killed loses seconds.

const DATABASE = "genreweb";
const STORE = "takes";
const PIECES = "pieces";

function prepare({ target, oldVersion }) {
  const database = target.result;
  if (oldVersion < 1) database.createObjectStore(STORE, { keyPath: "id" }).createIndex("owner", "owner");
  database.createObjectStore(PIECES, { keyPath: ["take", "index"] }).createIndex("owner", "owner");
}

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 2);
    request.addEventListener("upgradeneeded", prepare);
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
    request.addEventListener("blocked", () => reject(new DOMException("blocked", "InvalidStateError")));
  });
}

// Resolves once what `work` asked of the stores is on disk.
async function within(mode, work) {
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction([STORE, PIECES], mode);
      const request = work(transaction.objectStore(STORE), transaction.objectStore(PIECES));
      transaction.addEventListener("complete", () => resolve(request.result));
      transaction.addEventListener("abort", () => reject(transaction.error));
    });
  } finally {
    database.close();
  }
}

// The kept takes of one person, the oldest first.
export async function keptTakes(owner) {
  const found = await within("readonly", (store) => store.index("owner").getAll(owner));
  return found.sort((one, other) => one.started - other.started);
}

function piecesOf(id) {
  return IDBKeyRange.bound([id], [id, []]);
}

// `take`: {id, owner, blob, seconds, ending, started, number}. It takes the place of its pieces.
export function keepTake(take) {
  return within("readwrite", (store, pieces) => {
    pieces.delete(piecesOf(take.id));
    return store.put(take);
  });
}

export function forgetTake(id) {
  return within("readwrite", (store, pieces) => {
    pieces.delete(piecesOf(id));
    return store.delete(id);
  });
}

const lockOf = (id) => `genreweb-take-${id}`;

// A take that is being recorded. Other pages leave its pieces alone as long as this one lives.
export class UnfinishedTake {
  constructor({ id, owner, number, started }) {
    Object.assign(this, { id, owner, number, started });
    this.count = 0;
    navigator.locks?.request(lockOf(id), () => new Promise((release) => (this.release = release)));
  }

  // `seconds`: how long the take is with this piece.
  async add({ blob, seconds, ending }) {
    const { id: take, owner, number, started, count: index } = this;
    this.count += 1;
    const piece = { take, index, owner, blob, seconds, ending, started, number };
    try {
      await within("readwrite", (_store, pieces) => pieces.put(piece));
    } catch {
      // The disk is full, or a private window refuses: the page has the take.
    }
  }

  end() {
    this.release?.();
  }
}

// Makes takes of the pieces that closed pages left behind. Gives their ids; what is too short is deleted.
export async function recoverTakes(owner, minSeconds) {
  const pieces = await within("readonly", (_store, store) => store.index("owner").getAll(owner));
  const locks = (await navigator.locks?.query())?.held ?? [];
  const held = new Set(locks.map((lock) => lock.name));
  const ids = [...new Set(pieces.map((piece) => piece.take))].filter((id) => !held.has(lockOf(id)));
  const recovered = [];
  for (const id of ids) {
    const own = pieces.filter((piece) => piece.take === id).sort((one, other) => one.index - other.index);
    const { seconds, ending, started, number } = own.at(-1);
    if (seconds < minSeconds) {
      await forgetTake(id);
      continue;
    }
    const blob = new Blob(
      own.map((piece) => piece.blob),
      { type: own[0].blob.type },
    );
    await keepTake({ id, owner, blob, seconds, ending, started, number });
    recovered.push(id);
  }
  return recovered;
}
