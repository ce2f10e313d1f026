// What `deno task web` makes. Whether it works is seen in a browser: tests/scripts/check_page.ts.
import { assert, assertEquals } from "@std/assert";
import { buildPage, servesFolder } from "../../tools/web.ts";
import { inFolder } from "../served_project.ts";

Deno.test("the page's scripts import only each other, and the service worker keeps them all", async () => {
  await inFolder(async (folder) => {
    await buildPage(folder);
    const scripts = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).filter((name) =>
      /\.js$/.test(name)
    );
    assert(scripts.length > 20, `${scripts.length} scripts`);
    for (const script of scripts) {
      const text = await Deno.readTextFile(`${folder}/${script}`);
      // What is imported at the start; the branches for Node of libraries import theirs when they run.
      for (const [, name] of text.matchAll(/^import\b[^"]*"([^"]+)"/gm)) {
        assert(scripts.includes(name.replace("./", "")), `${script} imports ${name}`);
      }
    }
    const worker = await Deno.readTextFile(`${folder}/service_worker.js`);
    const { files } = JSON.parse(/^const page = (.*);$/m.exec(worker)![1]);
    const kept = [
      "./",
      ...scripts.filter((name) => name !== "service_worker.js").map((name) => `./${name}`),
      "./style.css",
    ];
    assertEquals([...files].sort(), kept.sort());
    // A file of the model that its list names is there, and one that is not is 404.
    const answer = servesFolder(folder);
    const get = (path: string) => answer(new Request(`http://localhost/${path}`));
    for (const name of await (await get("model/files.json")).json()) {
      assertEquals((await get(`model/${name}`)).status, 200);
    }
    assertEquals((await get("model/missing.json")).status, 404);
    assertEquals((await get("..%2f..%2fetc/passwd")).status, 404);
  });
});
