// Real checkpoints against published figures, on a connected machine: `deno task test:hub`. Everywhere else the suite
// itself is tested, with stand-ins on a Hub of this machine.
import { assertRejects } from "@std/assert";
import { type HubCase, publishedCases, standIns } from "./hub_cases.ts";
import { checkCase, type HubPlaces } from "./hub_check.ts";
import { withHub } from "./hub_fixture.ts";

const isConnected = Deno.env.get("LIMNER_TEST_HUB") === "1";

/** Run with stand-ins and their pictures on this machine. */
async function withStandIns(use: (test: (test: HubCase) => Promise<void>) => Promise<void>): Promise<void> {
  await withHub(async ({ server, cacheDir }) => {
    const assets = new URL("../../assets/", import.meta.url).pathname;
    const picture = await Deno.readFile(`${assets}examples/line.png`);
    await server.publishFolder("standin/captioner", `${assets}model`);
    await server.publishFolder("standin/processor", `${assets}model`);
    server.fault = ({ path, query }) => {
      if (path.endsWith("/line.png")) return new Response(picture);
      if (path !== "/rows" || query.get("dataset") !== "standin/pictures" || query.get("offset") !== "1") return;
      return Response.json({ rows: [{ row: { label: 1, image: { src: `${server.url}/line.png`, height: 20 } } }] });
    };
    const places: HubPlaces = { endpoint: server.url, datasets: server.url, cacheDir, isLocal: true };
    await use(async (test) => {
      const { picture } = test;
      await checkCase({ ...test, picture: picture === "line.png" ? `${server.url}/line.png` : picture }, places);
    });
  });
}

if (isConnected) {
  for (const test of publishedCases) {
    Deno.test(`${test.model} computes what was published`, () => checkCase(test));
  }
} else {
  Deno.test("the suite of published checkpoints accepts stand-ins, and no wrong figure", async () => {
    await withStandIns(async (check) => {
      for (const test of standIns) await check(test);
      const [{ logits, score, ...first }, { loss, ...second }] = standIns;
      const wrong: [HubCase, string][] = [
        [{ ...first, logits: logits!.with(9, logits![9] + 3e-4) }, "logits are"],
        [{ ...first, logits, vocabulary: 261 }, "261"],
        [{ ...first, score: score! + 2e-4 }, "score"],
        [{ ...first, text: "ninth century Y" }, "ninth century"],
        [{ ...second, loss: loss! + 2e-4 }, "the loss is"],
      ];
      for (const [test, message] of wrong) await assertRejects(() => check(test), Error, message);
    });
  });
}
