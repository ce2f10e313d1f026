// SentencePiece's Unigram as the Rust library does it: the pieces whose scores add up to the most. (The engine compares
// sums after adding the next piece's score, and rounding then decides otherwise between equally good ways.)
import type { Component } from "../files/definition.ts";
import { unknown, type Vocabulary } from "./vocabulary.ts";

/** How much worse than the worst piece an unknown character is (`K_UNK_PENALTY`). */
const unknownPenalty = 10;

/**
 * Make the encoder of a Unigram model.
 *
 * @param part A tokenizer.json's `model` of type Unigram.
 * @param vocabulary Its pieces.
 */
export function unigram(part: Component, vocabulary: Vocabulary): (word: string) => number[] {
  const vocab = part.vocab as readonly (readonly [string, number])[];
  const scores = Float64Array.from(vocab, ([, score]) => score);
  const unknownScore = scores.reduce((least, score) => Math.min(least, score), Infinity) - unknownPenalty;
  const pieces = new PieceTrie(vocab.map(([piece]) => piece));
  const unk = part.unk_id as number | null | undefined ?? -1;
  const substitute = (text: string): number[] =>
    (part.byte_fallback ? vocabulary.bytes(text) : undefined) ?? [unk >= 0 ? unk : unknown(text)];

  /** The best way to each place: its score, where its last piece begins, and that piece (-1: none has it). */
  return (word) => {
    const best = new Float64Array(word.length + 1);
    const begins = new Int32Array(word.length + 1).fill(-1);
    const last = new Int32Array(word.length + 1);
    const offer = (from: number, to: number, id: number, score: number): void => {
      if (begins[to] >= 0 && best[from] + score <= best[to]) return;
      best[to] = best[from] + score;
      begins[to] = from;
      last[to] = id;
    };
    for (let at = 0; at < word.length;) {
      const next = at + (word.codePointAt(at)! > 0xffff ? 2 : 1);
      let single = false;
      pieces.prefixes(word, at, (end, id) => {
        offer(at, end, id, scores[id]);
        single ||= end === next;
      });
      if (!single) offer(at, next, -1, unknownScore);
      at = next;
    }
    const ids: number[] = [];
    for (let end = word.length; end > 0;) {
      let from = begins[end];
      if (last[end] >= 0 && last[end] !== unk) ids.push(last[end]);
      else { // neighbouring unknown pieces are one
        while (from > 0 && (last[from] < 0 || last[from] === unk)) from = begins[from];
        ids.push(...substitute(word.slice(from, end)).reverse());
      }
      end = from;
    }
    return ids.reverse();
  };
}

/** Pieces that begin alike; what is further down is made when a text first goes there. */
interface Node {
  /** The piece that ends here, or -1. */
  id: number;
  readonly longer: number[];
  next?: Map<number, Node>;
}

/** Finds the pieces that a text goes on with. */
class PieceTrie {
  readonly #pieces: readonly string[];
  readonly #root: Node;

  constructor(pieces: readonly string[]) {
    this.#pieces = pieces;
    this.#root = { id: -1, longer: pieces.map((_, id) => id) };
  }

  /** Call `visit` with the end and the id of each piece that stands in `text` at `from`, the shortest first. */
  prefixes(text: string, from: number, visit: (end: number, id: number) => void): void {
    let node: Node | undefined = this.#root;
    for (let at = from; node && at < text.length; at++) {
      node = (node.next ??= this.#grow(node, at - from)).get(text.charCodeAt(at));
      if (node && node.id >= 0) visit(at + 1, node.id);
    }
  }

  #grow({ longer }: Node, depth: number): Map<number, Node> {
    const next = new Map<number, Node>();
    for (const id of longer) {
      const piece = this.#pieces[id];
      const unit = piece.charCodeAt(depth);
      if (Number.isNaN(unit)) continue; // an empty piece
      let node = next.get(unit);
      if (!node) next.set(unit, node = { id: -1, longer: [] });
      if (piece.length === depth + 1) node.id = id;
      else node.longer.push(id);
    }
    return next;
  }
}
