// Sends a sound to a Genreweb site, waits for its genre and prints it with what sounds like it, as one line of JSON.
// The types are made from the site's own description:
//   npx openapi-typescript "$SITE/api/v1/schema/" --output schema.d.ts
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Track = components["schemas"]["Track"];

const [site, token, file] = process.argv.slice(2);
if (site === undefined || token === undefined || file === undefined) throw new Error("usage: main_job SITE TOKEN FILE");
const client = createClient<paths>({ baseUrl: site, headers: { Authorization: `Bearer ${token}` } });

// A binary file is a string to the description, and a part of a form to fetch.
function form(body: unknown): FormData {
  const parts = new FormData();
  for (const [name, value] of Object.entries(body as object)) parts.append(name, value as Blob | string);
  return parts;
}

async function send(path: string): Promise<Track> {
  const sound = new File([await readFile(path)], basename(path));
  const { data, error } = await client.POST("/api/v1/tracks/", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { file: sound as unknown as string, title: "Sent by TypeScript", source: "upload" },
    bodySerializer: form,
  });
  if (error) throw new Error(error.code);
  return data;
}

async function heard(id: string): Promise<Track> {
  for (;;) {
    const { data, error } = await client.GET("/api/v1/tracks/{id}/", { params: { path: { id } } });
    if (error) throw new Error(error.code);
    if (data.status === "done" || data.status === "failed") return data;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const sent = await send(file);
const track = await heard(sent.id);
const near = await client.GET("/api/v1/tracks/{id}/similar/", { params: { path: { id: track.id }, query: { k: 3 } } });
if (near.error) throw new Error(near.error.code);
const probabilities = track.analysis?.probabilities ?? {};
console.log(
  JSON.stringify({
    id: track.id,
    title: track.title,
    status: track.status,
    sum: Object.values(probabilities).reduce((all, one) => all + one, 0),
    near: near.data.map((one) => ({ title: one.track.title, distance: one.distance })),
  }),
);
const missing = await client.GET("/api/v1/tracks/{id}/", {
  params: { path: { id: "00000000-0000-0000-0000-000000000000" } },
});
console.error(missing.response.status, missing.error?.code);
