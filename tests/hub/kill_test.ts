// Downloads that are killed with SIGKILL at random moments: the next goes on, nothing that was written is fetched again,
// and what has a name in the cache is whole.
import { assert, assertEquals } from "@std/assert";
import type { HubServer } from "./hub_server.ts";
import { folderOf, namesIn, noise, withHub } from "./hub_fixture.ts";
import { pieceBytes } from "../../src/hub/cache/partial_file.ts";
import { effort } from "../effort.ts";

const kills = effort(3, 20);
const weights = noise(64 * pieceBytes - 5);
/** The pieces that are in the journal of a partial file, which comes after its bytes. */
async function piecesIn(blobs: string): Promise<number[]> {
  const name = (await namesIn(blobs)).find((name) => name.endsWith(".incomplete"));
  if (!name) return [];
  const journal = (await Deno.readFile(`${blobs}/${name}`)).subarray(weights.length);
  return Array.from(journal.keys()).filter((piece) => journal[piece] === 1);
}

/** Check that no request since the `from`th asked for a piece that was there. */
function assertNotAsked(server: HubServer, from: number, there: readonly number[]): void {
  for (const { range } of server.requests.slice(from)) {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
    if (!first) continue;
    const again = there.filter((piece) => piece * pieceBytes >= Number(first) && piece * pieceBytes <= Number(last));
    assertEquals(again, [], `${range} was asked for, and these pieces were there`);
  }
}

const sentBy = (server: HubServer) => server.requests.filter(({ cdn }) => cdn).reduce((sum, { sent }) => sum + sent, 0);

Deno.test(`a download killed at ${kills} moments is complete in the end, and no piece came twice`, async () => {
  await withHub(async ({ server, cacheDir }) => {
    server.publish("org/name", { "config.json": "{}", "model.safetensors": weights });
    server.rate = 60e6;
    const script = `${cacheDir}/load.ts`;
    const options = { endpoint: server.url, cacheDir, token: "", localFilesOnly: false };
    await Deno.writeTextFile(
      script,
      `import { openRepository } from ${JSON.stringify(import.meta.resolve("../../src/hub/mod.ts"))};
      const repository = await openRepository("org/name", ${JSON.stringify(options)});
      console.log((await repository.open("model.safetensors")).size);`,
    );
    const start = () =>
      new Deno.Command(Deno.execPath(), { args: ["run", "--no-check", "-A", script], stdout: "piped" }).spawn();
    const blobs = `${folderOf(cacheDir, "org/name")}/blobs`;
    let there: number[] = [], asked = 0;
    for (let kill = 0; kill < kills; kill++) {
      const before = sentBy(server);
      // Not among the last pieces, after which it is whole sooner than it is killed; and the last time once there is a piece.
      const most = weights.length - (there.length + 8) * pieceBytes;
      const moment = Math.min((0.2 + Math.random()) * (weights.length / kills), most);
      const isEnough = async () => there.length > 0 || kill < kills - 1 || (await piecesIn(blobs)).length > 0;
      const child = start();
      let ended = false;
      child.status.then(() => ended = true);
      while (!ended && (sentBy(server) - before <= moment || !await isEnough())) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      assert(!ended, "the download ended before it was killed");
      child.kill("SIGKILL");
      await child.output();
      assertNotAsked(server, asked, there);
      asked = server.requests.length;
      const now = await piecesIn(blobs);
      assert(there.every((piece) => now.includes(piece)), "a piece was lost");
      there = now;
      for (const name of await namesIn(blobs)) {
        assert(name.endsWith(".incomplete") || (await Deno.stat(`${blobs}/${name}`)).size === 2, `${name} has a name`);
      }
    }
    assert(there.length > 0, "nothing was there to go on with");
    const { stdout } = await start().output();
    assertNotAsked(server, asked, there);
    assertEquals(new TextDecoder().decode(stdout), `${weights.length}\n`);
    const snapshots = `${folderOf(cacheDir, "org/name")}/snapshots`;
    const [commit] = await namesIn(snapshots);
    assertEquals(await Deno.readFile(`${snapshots}/${commit}/model.safetensors`), weights);
    assertEquals((await namesIn(blobs)).length, 2);
  });
});
