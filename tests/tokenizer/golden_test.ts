// Every tokenizer under fixtures/tokenizers against what Python's tokenizers make of the same files.
import { assertEquals } from "@std/assert";
import { AutoTokenizer, type Tokenizer } from "../../src/tokenizer/mod.ts";

const folder = new URL("../fixtures/tokenizers/", import.meta.url);

type Decodings = Record<`decode_skip${0 | 1}_clean${0 | 1}`, string>;

/** A tokenizer's golden.json. */
interface Golden {
  vocab_size: number;
  special_ids: Record<string, number | null>;
  all_special_ids: number[];
  clean_up_tokenization_spaces_default: boolean;
  /** Added tokens and language codes with their ids. */
  added_tokens?: Record<string, number>;
  lang_code_to_id?: Record<string, number>;
  encode: ({
    text: string;
    ids: number[];
    ids_no_special: number[];
    tokens: string[];
    /** What sentencepiece itself makes of the text. */
    spm_pieces?: string[];
    spm_ids_plus_offset?: number[];
  } & Decodings)[];
  decode_random_ids: ({ ids: number[] } & Decodings)[];
  batch_decode: { ids: number[][]; texts_skip1: string[]; texts_skip0: string[] };
  single_token_decode?: string[];
  padding: null | {
    texts: string[];
    max_length: number;
    ids_max_length_truncated: number[][];
    mask_max_length_truncated: number[][];
    ids_longest: number[][];
    mask_longest: number[][];
  };
}

function assertDecodings(tokenizer: Tokenizer, ids: number[], golden: Decodings): void {
  for (const skip of [0, 1] as const) {
    for (const clean of [0, 1] as const) {
      const text = tokenizer.decode(ids, { skipSpecialTokens: skip === 1, cleanUpTokenizationSpaces: clean === 1 });
      assertEquals(text, golden[`decode_skip${skip}_clean${clean}`], `ids ${ids} with skip ${skip}, clean ${clean}`);
    }
  }
}

for (const { name } of Deno.readDirSync(folder)) {
  if (name.endsWith("_real")) continue; // their vocabularies are other packages': scripts/check_tokenizers.py
  const golden: Golden = JSON.parse(Deno.readTextFileSync(new URL(`${name}/golden.json`, folder)));
  const load = () => AutoTokenizer.fromPretrained(new URL(`${name}/`, folder));

  Deno.test(`${name}: special tokens and size are Python's`, async () => {
    const tokenizer = await load();
    assertEquals(tokenizer.vocabularySize, golden.vocab_size);
    assertEquals(tokenizer.allSpecialIds, golden.all_special_ids);
    const ids = ["bos", "eos", "pad", "unk", "cls", "sep", "mask"].map((role) =>
      (tokenizer as unknown as Record<string, number | undefined>)[`${role}TokenId`] ?? null
    );
    assertEquals(ids, Object.values(golden.special_ids));
    for (const [token, id] of Object.entries({ ...golden.added_tokens, ...golden.lang_code_to_id })) {
      assertEquals(tokenizer.tokenToId(token), id, token);
    }
  });

  Deno.test(`${name}: encode() gives Python's ids and tokens`, async () => {
    const tokenizer = await load();
    for (const { text, ids, ids_no_special, tokens, spm_pieces, spm_ids_plus_offset } of golden.encode) {
      const encoding = tokenizer.encode(text);
      assertEquals(encoding.inputIds, ids, JSON.stringify(text));
      assertEquals(encoding.attentionMask, ids.map(() => 1));
      assertEquals(encoding.tokens, tokens, JSON.stringify(text));
      assertEquals(tokenizer.encode(text, { addSpecialTokens: false }).inputIds, ids_no_special, JSON.stringify(text));
      const pieces = spm_pieces?.map((piece) => tokenizer.tokenToId(piece) ?? tokenizer.unkTokenId);
      assertEquals(pieces, spm_ids_plus_offset, JSON.stringify(text));
    }
  });

  Deno.test(`${name}: decode() gives Python's text`, async () => {
    const tokenizer = await load();
    for (const one of [...golden.encode, ...golden.decode_random_ids]) assertDecodings(tokenizer, one.ids, one);
    golden.single_token_decode?.forEach((text, id) => assertEquals(tokenizer.decode([id]), text, `id ${id}`));
    const { ids, texts_skip0, texts_skip1 } = golden.batch_decode;
    assertEquals(tokenizer.batchDecode(ids), texts_skip0);
    assertEquals(tokenizer.batchDecode(ids, { skipSpecialTokens: true }), texts_skip1);
  });

  const padding = golden.padding;
  if (padding) {
    Deno.test(`${name}: encodeBatch() pads and truncates as Python`, async () => {
      const tokenizer = await load();
      assertEquals(tokenizer.encodeBatch(padding.texts, { padding: "longest" }), {
        inputIds: padding.ids_longest,
        attentionMask: padding.mask_longest,
      });
      const options = { padding: "max_length", truncation: true, maxLength: padding.max_length } as const;
      assertEquals(tokenizer.encodeBatch(padding.texts, options), {
        inputIds: padding.ids_max_length_truncated,
        attentionMask: padding.mask_max_length_truncated,
      });
    });
  }
}
