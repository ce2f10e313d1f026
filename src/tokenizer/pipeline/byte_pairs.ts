// Byte-pair encoding as the Rust library does it. Think of a word as a list of ids, one per character: of all neighbours that
// may merge, those of the lowest rank become one id, until none may. (npm @huggingface/tokenizers merges spellings, not ids,
// which differs where a vocabulary lacks characters or has prefixes within words.)
import type { Component, Fail } from "../files/definition.ts";
import { unknown, type Vocabulary } from "./vocabulary.ts";

/**
 * Make the encoder of a BPE model.
 *
 * @param part A tokenizer.json's `model` of type BPE.
 * @param vocabulary Its tokens.
 * @param fail Throws the error for merges whose tokens the vocabulary lacks.
 */
export function bytePairs(part: Component, vocabulary: Vocabulary, fail: Fail): (word: string) => number[] {
  const { continuing_subword_prefix: prefix, end_of_word_suffix: suffix, unk_token, ignore_merges } = part;
  if (part.dropout) {
    fail(`its dropout is ${part.dropout}, which makes encodings random, and null was expected`, "model.dropout");
  }
  const merges = readMerges(part.merges as Merge[], (prefix as string | null)?.length ?? 0, vocabulary, fail);
  const symbol = (character: string, first: boolean, last: boolean): string =>
    `${first ? "" : prefix ?? ""}${character}${last ? suffix ?? "" : ""}`;

  return (word) => {
    const whole = ignore_merges ? vocabulary.id(word) : undefined;
    if (whole !== undefined) return [whole];
    const ids: number[] = [];
    const unknownToken: number[] = []; // an unknown token that the next unknown character may join
    const characters = [...word];
    characters.forEach((character, i) => {
      const spelling = symbol(character, i === 0, i === characters.length - 1);
      const id = vocabulary.id(spelling);
      if (id !== undefined) {
        ids.push(...unknownToken.splice(0), id);
        return;
      }
      const bytes = part.byte_fallback ? vocabulary.bytes(spelling) : undefined;
      if (bytes) ids.push(...bytes);
      else if (unk_token != null) {
        if (!part.fuse_unk) ids.push(...unknownToken.splice(0));
        unknownToken[0] = vocabulary.id(unk_token as string) ?? unknown(word);
      }
    });
    ids.push(...unknownToken);
    return merges.apply(ids);
  };
}

/** A merge: two tokens, or in older files both with a space between them. */
type Merge = string | readonly [string, string];

function readMerges(list: readonly Merge[], prefixLength: number, vocabulary: Vocabulary, fail: Fail): Merges {
  const merges = new Merges(vocabulary.size);
  list.forEach((merge, rank) => {
    const [left, right] = typeof merge === "string" ? merge.split(" ") : merge;
    const id = (token: string): number =>
      vocabulary.id(token) ??
        fail(`merge ${rank} needs token ${JSON.stringify(token)}, which is not in the vocabulary`, "model.merges");
    merges.add(id(left), id(right), id(left + (prefixLength > 0 ? right.slice(prefixLength) : right)));
  });
  return merges;
}

/** Which neighbours become which token, and in which order. */
class Merges {
  /** The rank of a pair of ids, as one number. */
  readonly #ranks = new Map<number, number>();
  readonly #merged: number[] = [];
  readonly #factor: number;

  /** @param size How many ids there are. */
  constructor(size: number) {
    this.#factor = size;
  }

  add(left: number, right: number, merged: number): void {
    this.#ranks.set(left * this.#factor + right, this.#merged.push(merged) - 1);
  }

  /** Merge until nothing merges, the lowest rank first; ties go to the leftmost. Changes `ids`. */
  apply(ids: number[]): number[] {
    const length = ids.length;
    const next = Int32Array.from(ids, (_, i) => i + 1);
    const previous = Int32Array.from(ids, (_, i) => i - 1);
    const rankAt = (at: number): number | undefined =>
      at >= 0 && next[at] < length ? this.#ranks.get(ids[at] * this.#factor + ids[next[at]]) : undefined;
    const queue = new MinHeap();
    const offer = (at: number): void => {
      const rank = rankAt(at);
      if (rank !== undefined) queue.push(rank * length + at);
    };
    for (let at = 0; at < length - 1; at++) offer(at);
    for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
      const at = entry % length;
      const rank = (entry - at) / length;
      if (ids[at] < 0 || rankAt(at) !== rank) continue; // one of the two was merged meanwhile
      const right = next[at];
      ids[at] = this.#merged[rank];
      ids[right] = -1;
      next[at] = next[right];
      if (next[at] < length) previous[next[at]] = at;
      offer(at);
      offer(previous[at]);
    }
    return ids.filter((id) => id >= 0);
  }
}

/** A binary heap of numbers, the lowest first. */
class MinHeap {
  readonly #heap: number[] = [];

  push(value: number): void {
    const heap = this.#heap;
    let at = heap.push(value) - 1;
    for (let up = (at - 1) >> 1; at > 0 && heap[up] > value; up = (at - 1) >> 1) {
      heap[at] = heap[up];
      at = up;
    }
    heap[at] = value;
  }

  pop(): number | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const value = heap.pop();
    if (value === undefined || heap.length === 0) return top;
    let at = 0;
    for (let down = 1; down < heap.length; down = 2 * at + 1) {
      if (heap[down + 1] < heap[down]) down++;
      if (heap[down] >= value) break;
      heap[at] = heap[down];
      at = down;
    }
    heap[at] = value;
    return top;
  }
}
