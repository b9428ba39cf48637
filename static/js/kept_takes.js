// Takes that wait to be sent, in this browser's IndexedDB: they outlive the page, and each person sees their own.

const DATABASE = "genreweb";
const STORE = "takes";

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.addEventListener("upgradeneeded", () => {
      request.result.createObjectStore(STORE, { keyPath: "id" }).createIndex("owner", "owner");
    });
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
    request.addEventListener("blocked", () => reject(new DOMException("blocked", "InvalidStateError")));
  });
}

// Resolves once what `work` asked of the store is on disk.
async function within(mode, work) {
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
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

// `take`: {id, owner, blob, seconds, ending, started, number}.
export function keepTake(take) {
  return within("readwrite", (store) => store.put(take));
}

export function forgetTake(id) {
  return within("readwrite", (store) => store.delete(id));
}
