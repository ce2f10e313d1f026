import { assertEquals } from "@std/assert";
import { Captioner, loadBackend, readCheckpoint } from "../../mod.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const lines = [0, 1, 2].map((n) => new URL(`../fixtures/lines/00${n}.png`, import.meta.url));

Deno.test("Captioner.savePretrained() writes a folder that reads as the model did", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using backend = await loadBackend(testedBackends[0]);
    await using captioner = await Captioner.load(undefined, { backend });
    const target = `${folder}/made by the save`;
    await captioner.savePretrained(target, { maxShardSize: "1MB" });
    await using again = await Captioner.load(target, { backend });
    assertEquals(await again.caption(lines), await captioner.caption(lines));
    assertEquals(
      [...(await readCheckpoint(target)).keys()].sort(),
      [...captioner.model.namedParameters().keys()].sort(),
    );
    const files = [...Deno.readDirSync(target)].map(({ name }) => name);
    for (const file of ["config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json"]) {
      assertEquals(files.includes(file), true, file);
    }
    assertEquals(files.some((file) => file.includes("tmp")), false);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
