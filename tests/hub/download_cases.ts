// A repository with a file of many pieces, and whether it came whole.
import { assertEquals } from "@std/assert";
import type { HubRepository } from "../../src/hub/hub_repository.ts";
import { pieceBytes } from "../../src/hub/cache/partial_file.ts";
import { noise } from "./hub_fixture.ts";

/** The content of a large file. */
export const weights: Uint8Array<ArrayBuffer> = noise(20 * pieceBytes + 12345);
/** A repository: a small file and a large one. */
export const files = { "config.json": `{"a": 1}`, "model.safetensors": weights };

/** Check that both files are there as they were published. */
export async function assertWhole(repository: HubRepository): Promise<void> {
  assertEquals(await repository.readText("config.json"), files["config.json"]);
  const file = (await repository.open("model.safetensors"))!;
  assertEquals(await file.read(0, file.size), weights);
}
