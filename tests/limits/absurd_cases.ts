// Well-formed and absurd: every number of a model's JSON files set in turn to what no model has. A case is one key of one
// file of one model with one value.
import type { Repository } from "../../src/hub/mod.ts";
import { openRepository } from "../../src/hub/mod.ts";

const fixtures = new URL("../fixtures/", import.meta.url);
const embedded = new URL("../../assets/model/", import.meta.url);

/** Where a model's files are taken from, the later ones first; of the processor the content. */
interface Model {
  readonly folders: readonly URL[];
  readonly processor?: Readonly<Record<string, unknown>>;
}

const model = (name: string, tokenizer: string, processor: Readonly<Record<string, unknown>>): Model => ({
  folders: [new URL(`models/${name}/`, fixtures), new URL(`tokenizers/${tokenizer}/`, fixtures)],
  processor,
});
const normalizing = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5], rescale_factor: 0.00392156862745098 };

/** Models with their tokenizers and image processors. */
export const models: Readonly<Record<string, Model>> = {
  embedded: { folders: [embedded] },
  vit_trocr: { folders: [new URL("models/vit_trocr_sinusoidal/", fixtures)] },
  donut: model("donut_swin_mbart", "mbart_lang", {
    image_processor_type: "DonutImageProcessor",
    size: { height: 48, width: 32 },
    ...normalizing,
  }),
  swin_bert: model("swin_bert", "bert_uncased", {
    image_processor_type: "CLIPImageProcessor",
    size: { shortest_edge: 32 },
    crop_size: { height: 32, width: 32 },
    resample: 3,
    ...normalizing,
  }),
  vit_gpt2: model("vit_gpt2_captioning", "gpt2_bpe", {
    image_processor_type: "DeiTImageProcessor",
    size: { height: 40, width: 40 },
    crop_size: 32,
    do_pad: true,
    pad_size: { height: 32, width: 32 },
    ...normalizing,
  }),
};

/** The files whose numbers are changed. */
export const files = ["config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json"] as const;

/** What each number is set to. */
export const values: readonly unknown[] = [0, -1, 3.5, 1e5, 1e9, 2 ** 53, 1e308, null, "7", [3], {}];

/** One number of a file and what it is set to. */
export interface Case {
  readonly model: string;
  readonly file: string;
  /** Where the number stands. */
  readonly path: readonly string[];
  readonly value: unknown;
}

/** A number's last name, which a refusal has to give. */
export function keyOf({ path }: Case): string {
  return path.findLast((name) => !/^\d+$/.test(name)) ?? path[0];
}

/** The files of a model, one changed. */
export async function repositoryOf(name: string, change?: Case): Promise<Repository> {
  const { folders, processor } = models[name];
  const places = await Promise.all(folders.map((folder) => openRepository(folder)));
  const first = async <T>(look: (place: Repository) => Promise<T | undefined>): Promise<T | undefined> => {
    for (const place of places) {
      const found = await look(place);
      if (found !== undefined) return found;
    }
  };
  const readText = async (file: string): Promise<string | undefined> => {
    const given = file === "preprocessor_config.json" && processor
      ? JSON.stringify(processor)
      : await first((place) => place.readText(file));
    if (!given || change?.file !== file) return given;
    return JSON.stringify(changed(JSON.parse(given), change));
  };
  return {
    name,
    readText,
    readBytes: (file) => first((place) => place.readBytes(file)),
    open: (file) => first((place) => place.open(file)),
  };
}

function changed(content: Record<string, unknown>, { path, value }: Case): unknown {
  const last = path.length - 1;
  const holder = path.slice(0, last).reduce((at, name) => at[name] as Record<string, unknown>, content);
  holder[path[last]] = value;
  return content;
}

/** Of a list or table with so many numbers the first ones are enough. */
const enough = 3;

function* numbersIn(content: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  if (typeof content === "number") yield path;
  if (typeof content !== "object" || content === null) return;
  const entries = Object.entries(content);
  let taken = 0;
  for (const [name, part] of entries) {
    const many = entries.length > 12;
    if (many && (Array.isArray(content) || typeof part === "number" && path.includes("vocab")) && taken++ >= enough) {
      break;
    }
    yield* numbersIn(part, [...path, name]);
  }
}

/** All cases of a model. */
export async function casesOf(name: string): Promise<Case[]> {
  const repository = await repositoryOf(name);
  const cases: Case[] = [];
  for (const file of files) {
    const text = await repository.readText(file);
    for (const path of numbersIn(JSON.parse(text ?? "{}"))) {
      for (const value of values) cases.push({ model: name, file, path, value });
    }
  }
  return cases;
}
