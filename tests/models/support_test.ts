import { assertEquals } from "@std/assert";
import { type Backend, loadBackend, VisionEncoderDecoderModel } from "../../mod.ts";
import { decoders, encoders } from "../../src/models/mod.ts";
import { assertClose } from "../conformance/closeness.ts";
import { familyConfig, familyInputs, familyParameters } from "./family_models.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const encoderNames = Object.keys(encoders);
const decoderNames = Object.keys(decoders);
const tolerance = { ffi: 1e-4, webgpu: 2e-4, reference: 1e-4, wasm: 1e-4 };

/** What the reference computes with each pair; those of goldens are held against Transformers. */
const expectations = new Map<string, Awaited<ReturnType<typeof compute>>>();

/** The backends that each pair ran on, and agreed with the reference. */
const supported = new Map<string, string[]>();

async function compute(encoder: string, decoder: string, headWidth: number, backend: Backend) {
  const config = familyConfig(encoder, decoder, headWidth);
  await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend });
  for (const [name, value] of familyParameters(config)) await model.setParameter(name, value);
  const { pixelValues, decoderInputIds } = familyInputs(config);
  const { logits, encoderLastHiddenState } = await model.forward({ pixelValues, decoderInputIds });
  // Whatever the decoder's defaults ask for, this is plain.
  Object.assign(model.generationConfig, { forced_eos_token_id: null, eos_token_id: null });
  const { sequences } = await model.generate(pixelValues, { maxNewTokens: 7 });
  return { logits, encoderLastHiddenState, sequences };
}

for (const [row, encoder] of encoderNames.entries()) {
  Deno.test(`${encoder} works with every decoder on every backend`, async (t) => {
    await using reference = await loadBackend("reference");
    for (const name of testedBackends) {
      await using backend = await loadBackend(name);
      for (const [column, decoder] of decoderNames.entries()) {
        // Both widths for every decoder, with one encoder or another.
        const headWidth = (row + column) % 2 ? 64 : 7;
        await t.step(`with ${decoder}, heads of ${headWidth}, on ${name}`, async () => {
          const pair = `${encoder} ${decoder}`;
          if (!expectations.has(pair)) expectations.set(pair, await compute(encoder, decoder, headWidth, reference));
          const expected = expectations.get(pair)!;
          const actual = name === "reference" ? expected : await compute(encoder, decoder, headWidth, backend);
          const { encoderLastHiddenState, logits } = expected;
          assertClose(actual.encoderLastHiddenState, encoderLastHiddenState, tolerance[name], "the encoder's states");
          assertClose(actual.logits, logits, tolerance[name], "the logits");
          assertEquals(actual.sequences, expected.sequences);
          supported.set(pair, [...supported.get(pair) ?? [], name]);
        });
      }
      assertEquals(backend.counters.liveHandles, 0);
    }
  });
}

function supportTable(): string {
  const cells = [
    ["", ...decoderNames],
    ...encoderNames.map((encoder) => [
      encoder,
      ...decoderNames.map((decoder) => supported.get(`${encoder} ${decoder}`)?.toSorted().join(", ") ?? ""),
    ]),
  ];
  const widths = cells[0].map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  const lines = cells.map((row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`);
  return [lines[0], `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...lines.slice(1)].join("\n");
}

// Runs last: it needs what the tests above found.
Deno.test("the README's support table is what the tests found", async () => {
  assertEquals(expectations.size, encoderNames.length * decoderNames.length, "run the whole file");
  const file = new URL("../../README.md", import.meta.url);
  const readme = await Deno.readTextFile(file);
  const marker = "<!-- support table -->";
  const [before, table, after] = readme.split(marker);
  assertEquals(readme.split(marker).length, 3, "the README has no two markers");
  if (testedBackends.length < 3) return; // a backend is missing here, which the test command says
  const found = supportTable();
  if (table.trim() === found) return;
  // Elsewhere than in CI the run writes the table itself.
  if (Deno.env.get("CI")) return assertEquals(table.trim(), found);
  await Deno.writeTextFile(file, `${before}${marker}\n\n${found}\n\n${marker}${after}`);
});
