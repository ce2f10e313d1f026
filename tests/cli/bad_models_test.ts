import { assert, assertEquals, assertRejects } from "@std/assert";
import { Captioner, LimnerError } from "../../mod.ts";

const folder = new URL("../fixtures/bad/repositories/", import.meta.url);
const repositories = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("there are bad repositories to load", () => assertEquals(repositories.length, 21));

for (const name of repositories) {
  Deno.test(`Captioner.load() refuses bad/repositories/${name} in one line`, async () => {
    const { message } = await assertRejects(
      () => Captioner.load(new URL(`${name}/`, folder), { backend: "reference" }),
      LimnerError,
    );
    assert(message.length > 20 && !message.includes("\n"), message);
  });
}
