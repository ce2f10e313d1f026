// Every number of the JSON files of five models set in turn to what no model has: each loads and runs, or is refused by the
// key, soon and before memory is taken. Other runs take a sample, `deno task test:long` all of them.
import { assert, assertInstanceOf } from "@std/assert";
import {
  AutoImageProcessor,
  AutoTokenizer,
  Captioner,
  loadBackend,
  RawImage,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { ConfigError, FormatError, LimitError, LimnerError } from "../../mod.ts";
import { effort } from "../effort.ts";
import { memory, processorTime } from "../process_cost.ts";
import { type Case, casesOf, keyOf, models, repositoryOf } from "./absurd_cases.ts";

const backend = await loadBackend("reference");
const picture = new RawImage(new Uint8Array(32 * 32 * 3).fill(100), 32, 32, 3);

/** Of how many cases one is tried; a prime, so that each value has its turn. A caption of the embedded model takes a second. */
const stepOf = (model: string): number => effort(model === "embedded" ? 149 : 37, 1);

/** Load what a case changes, and use it once. */
async function use(change: Case): Promise<void> {
  const repository = await repositoryOf(change.model, change);
  if (change.file === "tokenizer.json") {
    const tokenizer = await AutoTokenizer.fromPretrained(repository);
    tokenizer.decode(tokenizer.encode("Hello world 12").inputIds);
  } else if (change.file === "preprocessor_config.json") {
    (await AutoImageProcessor.fromPretrained(repository))(picture);
  } else {
    await using model = await VisionEncoderDecoderModel.fromPretrained(repository, { backend });
    const tokenizer = await AutoTokenizer.fromPretrained(repository);
    const processor = await AutoImageProcessor.fromPretrained(repository);
    await new Captioner({ model, tokenizer, processor }).caption(picture, { maxNewTokens: 2 });
  }
}

/** Whether a refusal gives the key. */
function names(error: LimnerError, key: string): boolean {
  const where = error instanceof ConfigError
    ? error.key
    : error instanceof FormatError || error instanceof LimitError
    ? error.details.key
    : "";
  return error.message.includes(key) || (where ?? "").includes(key);
}

for (const model of Object.keys(models)) {
  Deno.test(`absurd numbers in ${model}'s files are refused by their key, or it runs`, async () => {
    const cases = await casesOf(model);
    // What is loaded once is loaded now; and a usual caption of this model takes so long.
    const usual: Case = { model, file: "config.json", path: ["use_cache"], value: true };
    await use(usual);
    const began = processorTime();
    await use(usual);
    const most = 1000 + 2 * (processorTime() - began);
    for (let at = 0; at < cases.length; at += stepOf(model)) {
      const change = cases[at];
      const label = `${change.file}: ${change.path.join(".")} = ${JSON.stringify(change.value)}`;
      const before = [processorTime(), memory().resident];
      const error = await use(change).catch((error) => error);
      const [taken, grown] = [processorTime() - before[0], memory().resident - before[1]];
      if (error !== undefined) {
        assertInstanceOf(error, LimnerError, `${label}: ${error?.stack}`);
        assert(names(error, keyOf(change)), `${label}: ${error.message}`);
      }
      assert(taken < most, `${label}: ${taken} ms of the processor`);
      assert(grown < 200e6, `${label}: ${grown} bytes`);
    }
  });
}
