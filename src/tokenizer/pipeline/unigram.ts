// SentencePiece's Unigram as the Rust library does it. Think of a word's positions as the nodes of a graph and of each piece
// that matches between two positions as an edge with its score: the best path from the start to the end is found from left to
// right (Viterbi), and read off backwards. (npm @huggingface/tokenizers compares sums after adding the next piece's score, so
// rounding decides otherwise between paths that are equally good.)
import type { Component } from "../files/definition.ts";
import { unknown, type Vocabulary } from "./vocabulary.ts";

/** How much lower than the lowest piece's score an unknown character's is (`K_UNK_PENALTY`). */
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

  /** `best`, `begins`, `last`: the best path to each position by its score, its last piece's begin and id (-1: unknown). */
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
      else { // consecutive unknown characters are one unknown token
        while (from > 0 && (last[from] < 0 || last[from] === unk)) from = begins[from];
        for (const id of substitute(word.slice(from, end)).reverse()) ids.push(id);
      }
      end = from;
    }
    return ids.reverse();
  };
}

/** Pieces with the same beginning. Child nodes are made when a text first needs them. */
interface Node {
  /** The piece that ends here, or -1. */
  id: number;
  readonly longer: number[];
  next?: Map<number, Node>;
}

/** Finds the pieces that a text has at a position. */
class PieceTrie {
  readonly #pieces: readonly string[];
  readonly #root: Node;

  constructor(pieces: readonly string[]) {
    this.#pieces = pieces;
    this.#root = { id: -1, longer: pieces.map((_, id) => id) };
  }

  /** Call `visit` with the end and the id of each piece that is in `text` at `from`, the shortest first. */
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
