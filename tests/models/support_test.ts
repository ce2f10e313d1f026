// Every encoder with every decoder on every backend, against the reference, which the goldens hold against Transformers.
// The short form takes every third pair: each family in several, and each decoder with heads of both widths.
import { assertEquals } from "@std/assert";
import { type Backend, loadBackend, VisionEncoderDecoderModel } from "../../mod.ts";
import { decoders, encoders } from "../../src/models/mod.ts";
import { assertClose } from "../conformance/closeness.ts";
import { isLong } from "../effort.ts";
import { familyConfig, familyInputs, familyParameters } from "./family_models.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const encoderNames = Object.keys(encoders);
const decoderNames = Object.keys(decoders);
const tolerance = { ffi: 1e-4, webgpu: 2e-4, reference: 1e-4, wasm: 1e-4 };

interface Pair {
  readonly encoder: string;
  readonly decoder: string;
  readonly headWidth: number;
}

const pairs = encoderNames.flatMap((encoder, row) =>
  decoderNames.flatMap((decoder, column): Pair[] =>
    isLong || (row + column) % 3 === 0 ? [{ encoder, decoder, headWidth: (row + column) % 2 ? 64 : 7 }] : []
  )
);

/** What the reference computes with each pair. */
const expectations = new Map<Pair, Awaited<ReturnType<typeof compute>>>();

/** The pairs that ran on each backend, and agreed with the reference. */
const agreed = new Map<string, Set<Pair>>(testedBackends.map((name) => [name, new Set()]));

async function compute({ encoder, decoder, headWidth }: Pair, backend: Backend) {
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

for (const encoder of encoderNames) {
  Deno.test(`${encoder} works with decoders on every backend`, async (t) => {
    await using reference = await loadBackend("reference");
    for (const name of testedBackends) {
      await using backend = await loadBackend(name);
      for (const pair of pairs.filter((pair) => pair.encoder === encoder)) {
        await t.step(`with ${pair.decoder}, heads of ${pair.headWidth}, on ${name}`, async () => {
          if (!expectations.has(pair)) expectations.set(pair, await compute(pair, reference));
          const expected = expectations.get(pair)!;
          const actual = name === "reference" ? expected : await compute(pair, backend);
          const { encoderLastHiddenState, logits } = expected;
          assertClose(actual.encoderLastHiddenState, encoderLastHiddenState, tolerance[name], "the encoder's states");
          assertClose(actual.logits, logits, tolerance[name], "the logits");
          assertEquals(actual.sequences, expected.sequences);
          agreed.get(name)!.add(pair);
        });
      }
      assertEquals(backend.counters.liveHandles, 0);
    }
  });
}

/** The backends on which all pairs of a family agreed. */
function backendsOf(part: "encoder" | "decoder", family: string | undefined): string {
  const own = pairs.filter((pair) => pair[part] === family);
  const found = testedBackends.filter((name) => own.every((pair) => agreed.get(name)!.has(pair)));
  return family ? found.toSorted().join(", ") : "";
}

function supportTable(): string {
  const rows = Array.from({ length: Math.max(encoderNames.length, decoderNames.length) }, (_, i) => [
    encoderNames[i] ?? "",
    backendsOf("encoder", encoderNames[i]),
    decoderNames[i] ?? "",
    backendsOf("decoder", decoderNames[i]),
  ]);
  const cells = [["encoder", "runs on", "decoder", "runs on"], ...rows];
  const widths = cells[0].map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  const lines = cells.map((row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`);
  return [lines[0], `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...lines.slice(1)].join("\n");
}

// Runs last: it needs what the tests above found.
Deno.test("the support table of docs/models.md is what the tests found", async () => {
  assertEquals(expectations.size, pairs.length, "run the whole file");
  const file = new URL("../../docs/models.md", import.meta.url);
  const page = await Deno.readTextFile(file);
  const marker = "<!-- support table -->";
  const [before, table, after] = page.split(marker);
  assertEquals(page.split(marker).length, 3, "docs/models.md has no two markers");
  if (testedBackends.length < 3) return; // a backend is missing here, which the test command says
  const found = supportTable();
  if (table.trim() === found) return;
  // Elsewhere than in CI the run writes the table itself.
  if (Deno.env.get("CI")) return assertEquals(table.trim(), found);
  await Deno.writeTextFile(file, `${before}${marker}\n\n${found}\n\n${marker}${after}`);
});
