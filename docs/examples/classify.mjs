// Ask a server of `cnnkit serve` about image files. `classify` works in browsers, too, if the server
// was started with --cors and the address of the page.
//
//   node classify.mjs photo.jpg another.jpg
//   SERVER=http://192.168.1.5:8000 CNNKIT_API_KEY=... node classify.mjs photo.jpg
import { readFile } from "node:fs/promises";
import { basename } from "node:path";

/**
 * @param {{name: string, blob: Blob}[]} images
 * @returns {Promise<object[]>} one answer per image; one that cannot be read has an `error`
 */
async function classify(server, images, { apiKey = "", topk = 1 } = {}) {
  const form = new FormData();
  for (const { name, blob } of images) form.append("image", blob, name);
  const headers = apiKey ? { Authorization: `Bearer ${apiKey}` } : {};
  for (;;) {
    const answer = await fetch(`${server}/predict?topk=${topk}`, { method: "POST", body: form, headers });
    if (answer.status === 429) {
      // The queue of the server is full.
      const seconds = Number(answer.headers.get("Retry-After"));
      await new Promise((done) => setTimeout(done, 1000 * seconds));
      continue;
    }
    const value = await answer.json();
    if (!value.predictions) throw new Error(`${answer.status}: ${value.error}`);
    return value.predictions;
  }
}

const images = await Promise.all(
  process.argv.slice(2).map(async (path) => ({
    name: basename(path),
    blob: new Blob([await readFile(path)]),
  })),
);
const server = process.env.SERVER ?? "http://127.0.0.1:8000";
for (const row of await classify(server, images, { apiKey: process.env.CNNKIT_API_KEY })) {
  if (row.error) {
    console.log(`${row.path}  ERROR  ${row.error}`);
    process.exitCode = 1;
  } else if (row.reason) {
    // A calibrated model does not know.
    console.log(`${row.path}  ${row.prediction}  (${row.reason})`);
  } else {
    console.log(`${row.path}  ${row.prediction} ${row.probability.toFixed(4)}`);
  }
}
