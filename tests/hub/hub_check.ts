// Checking what a checkpoint of the Hub computes against a case: what is loaded, in which order, and how far it may be off.
import { assert, assertEquals } from "@std/assert";
import {
  AutoImageProcessor,
  AutoTokenizer,
  type RawImage,
  readImage,
  type Tensor,
  type Tokenizer,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { hubEndpoint } from "../../src/hub/environment.ts";
import type { HubCase, PicturePlace } from "./hub_cases.ts";

/** Where checkpoints and pictures come from. */
export interface HubPlaces {
  /** @default HF_ENDPOINT, or Hugging Face's own */
  readonly endpoint?: string;
  /** The server of data sets' rows. @default Hugging Face's own */
  readonly datasets?: string;
  readonly cacheDir?: string;
  /** Whether the places are on this machine. @default false */
  readonly isLocal?: boolean;
}

/** Load what a case names and compare what it computes. */
export async function checkCase(test: HubCase, places: HubPlaces = {}): Promise<void> {
  const { endpoint, cacheDir } = places;
  const hub = { endpoint, cacheDir };
  await using model = await VisionEncoderDecoderModel.fromPretrained(test.model, hub);
  const processor = await AutoImageProcessor.fromPretrained(test.processor ?? test.model, hub);
  const tokenizer = await AutoTokenizer.fromPretrained(test.processor ?? test.model, hub);
  const { pixelValues } = processor(await readPicture(test.picture, places));
  await checkLogits(test, model, tokenizer, pixelValues);
  await checkText(test, model, tokenizer, pixelValues);
  await checkLoss(test, model, tokenizer, pixelValues);
}

async function checkLogits(
  { logits: expected, vocabulary, prompt, tolerance = 1e-4 }: HubCase,
  model: VisionEncoderDecoderModel,
  tokenizer: Tokenizer,
  pixelValues: Tensor,
): Promise<void> {
  if (!expected) return;
  const start = model.generationConfig.decoder_start_token_id as number;
  const decoderInputIds = [prompt === undefined ? [start] : idsOf(prompt, tokenizer)];
  const { logits } = await model.forward({ pixelValues, decoderInputIds });
  if (vocabulary) assertEquals(logits.shape, [1, decoderInputIds[0].length, vocabulary]);
  // Published to four digits: half of the last one is no error.
  const off = expected.map((value, i) => Math.abs(Number(logits.data[i]) - value) - 5e-5);
  assert(Math.max(...off) <= tolerance, `logits are ${logits.data.slice(0, expected.length)}, expected ${expected}`);
}

async function checkText(
  { text: expected, textPrompt, prompt, beams, maxLength, tags, begins, score }: HubCase,
  model: VisionEncoderDecoderModel,
  tokenizer: Tokenizer,
  pixelValues: Tensor,
): Promise<void> {
  if (expected === undefined) return;
  const given = textPrompt ?? prompt;
  const documents = tags && {
    maxLength: model.config.decoder.max_position_embeddings as number,
    badWordsIds: [[tokenizer.unkTokenId!]],
  };
  const { sequences, sequencesScores } = await model.generate(pixelValues, {
    ...documents,
    ...(given !== undefined && { decoderInputIds: [idsOf(given, tokenizer)] }),
    ...(maxLength && { maxLength }),
    numBeams: beams ?? 1,
  });
  const text = tags
    ? withoutEnds(sequences[0], tokenizer)
    : tokenizer.decode(sequences[0], { skipSpecialTokens: true });
  assertEquals(begins ? text.trim().slice(0, expected.length) : text.trim(), expected);
  if (score !== undefined) assert(Math.abs(sequencesScores![0] - score) <= 1e-4, `score ${sequencesScores![0]}`);
}

async function checkLoss(
  { label, loss: expected, tolerance = 1e-4 }: HubCase,
  model: VisionEncoderDecoderModel,
  tokenizer: Tokenizer,
  pixelValues: Tensor,
): Promise<void> {
  if (label === undefined) return;
  model.config.decoder_start_token_id ??= model.generationConfig.decoder_start_token_id as number;
  model.config.pad_token_id ??= tokenizer.padTokenId;
  const { loss } = await model.forward({ pixelValues, labels: [tokenizer.encode(label).inputIds] });
  assert(Math.abs(loss! - expected!) <= tolerance, `the loss is ${loss}, expected ${expected}`);
}

function idsOf(prompt: string | readonly number[], tokenizer: Tokenizer): number[] {
  return typeof prompt === "string" ? tokenizer.encode(prompt, { addSpecialTokens: false }).inputIds : [...prompt];
}

/** The text with its tags, but for the task's own, the end token and pads. */
function withoutEnds(ids: number[], tokenizer: Tokenizer): string {
  const kept = ids.filter((id) => id !== tokenizer.eosTokenId && id !== tokenizer.padTokenId);
  return tokenizer.decode(kept, { skipSpecialTokens: false }).replace(/<.*?>/, "");
}

async function readPicture(place: PicturePlace, places: HubPlaces): Promise<RawImage> {
  const allowed = { allowPrivateAddresses: places.isLocal };
  if (typeof place === "string") return await readImage(place, allowed);
  if ("file" in place) {
    const base = places.endpoint ?? hubEndpoint();
    return await readImage(`${base}/datasets/${place.dataset}/resolve/main/${place.file}`, allowed);
  }
  const { dataset, split, row } = place;
  const query = new URLSearchParams({ dataset, config: "default", split, offset: String(row), length: "1" });
  const answer = await fetch(`${places.datasets ?? "https://datasets-server.huggingface.co"}/rows?${query}`);
  const { rows } = await answer.json() as { rows: { row: Record<string, { src?: string } | unknown> }[] };
  const columns = Object.values(rows[0].row) as { src?: string }[];
  return await readImage(columns.find((value) => typeof value?.src === "string")!.src!, allowed);
}
