// The post-processors of a tokenizer.json: which special tokens are put before and after a text's own.
import { type Component, type Fail, lookUp } from "../files/definition.ts";

/** The ids of the special tokens before and after a text's own. */
export interface SurroundingIds {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

const nothing: SurroundingIds = { before: [], after: [] };

/**
 * Read a post-processor.
 *
 * @param part A tokenizer.json's `post_processor`.
 * @param fail Throws the error for a type that does not exist or a malformed setting.
 */
export function readSurroundingIds(part: Component, fail: Fail): SurroundingIds {
  return lookUp(types, part, "post_processor", fail)(part, fail);
}

/** @throws What `fail` throws, where a number of a post-processor is none, of a part too that is not heeded here. */
export function checkNumbers(part: Component, fail: Fail): void {
  const whole = (value: unknown, key: string): void => {
    if (Number.isInteger(value) && value as number >= 0 && value as number < 2 ** 32) return;
    fail(`its ${key} is ${JSON.stringify(value)}, and a whole number was expected`, `post_processor.${key}`);
  };
  const { single = [], pair = [], special_tokens = {}, processors = [] } = part;
  for (const key of ["cls", "sep"]) if (Array.isArray(part[key])) whole(part[key][1], key);
  for (const piece of [single, pair].flat() as TemplatePiece[]) {
    const { type_id } = (piece?.SpecialToken ?? piece?.Sequence ?? {}) as { type_id?: unknown };
    if (type_id !== undefined) whole(type_id, "type_id");
  }
  for (const { ids } of Object.values(special_tokens as Record<string, { ids?: unknown }>)) {
    if (Array.isArray(ids)) { for (const id of ids) whole(id, "ids"); }
  }
  for (const step of processors as Component[]) checkNumbers(step, fail);
}

const clsAndSep = ({ cls, sep }: Component): SurroundingIds => ({
  before: [(cls as [string, number])[1]],
  after: [(sep as [string, number])[1]],
});

const types: Readonly<Record<string, (part: Component, fail: Fail) => SurroundingIds>> = {
  BertProcessing: clsAndSep,
  ByteLevel: () => nothing,
  RobertaProcessing: clsAndSep,
  Sequence: ({ processors }, fail) =>
    (processors as Component[]).map((step) => readSurroundingIds(step, fail)).reduce(
      (inner, outer) => ({ before: [...outer.before, ...inner.before], after: [...inner.after, ...outer.after] }),
      nothing,
    ),
  TemplateProcessing: template,
};

/** A piece of a template: the text, or a special token by its name. */
type TemplatePiece = { readonly SpecialToken?: { readonly id: string }; readonly Sequence?: unknown };

function template({ single, special_tokens }: Component, fail: Fail): SurroundingIds {
  if (!Array.isArray(single)) return fail("its template is no list, and one was expected", "post_processor.single");
  const pieces = single as TemplatePiece[];
  const text = pieces.findIndex((piece) => piece.Sequence);
  if (text < 0 || text !== pieces.findLastIndex((piece) => piece.Sequence)) {
    fail("its template does not hold the text once", "post_processor.single");
  }
  const tokens = special_tokens as Readonly<Record<string, { readonly ids: readonly number[] }>>;
  const ids = (part: readonly TemplatePiece[]): number[] =>
    part.flatMap(({ SpecialToken }) =>
      tokens?.[SpecialToken!.id]?.ids ??
        fail(`its template's token ${JSON.stringify(SpecialToken!.id)} has no ids`, "post_processor.special_tokens")
    );
  return { before: ids(pieces.slice(0, text)), after: ids(pieces.slice(text + 1)) };
}
