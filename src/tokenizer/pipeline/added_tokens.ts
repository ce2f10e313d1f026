// Tokens that are added to a model's vocabulary, as in the Rust library (AddedVocabulary): they have ids of their own and are
// found in a text before all other steps, some in the text as it is, the others once it is normalised.
import type { AddedToken } from "../files/definition.ts";
import type { Normalize } from "./normalizers.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A segment of a text: an added token if `id` is set, otherwise text for the next steps. */
export interface TextSegment {
  readonly text: string;
  readonly id?: number;
  /** Whether the whole text begins with it. */
  readonly first: boolean;
}

/** The added tokens of a tokenizer. */
export class AddedTokens {
  readonly #vocabulary: Vocabulary;
  readonly #normalize: Normalize;
  readonly #ids = new Map<string, number>();
  readonly #tokens = new Map<number, AddedToken>();
  /** The tokens as they are found in texts. */
  readonly #spellings = new Map<number, string>();
  readonly #special = new Set<string>();
  #finders: readonly [plain: Finder, normalized: Finder] | undefined;

  constructor(vocabulary: Vocabulary, normalize: Normalize) {
    this.#vocabulary = vocabulary;
    this.#normalize = normalize;
  }

  /**
   * Add tokens, in their order: those that the vocabulary lacks get the next ids, and those known get new flags.
   *
   * @param keepIds Whether tokens keep the `id` that they have.
   * @param spellings What {@linkcode AddedTokens.spell} says of them.
   */
  add(tokens: readonly AddedToken[], keepIds = false, spellings: readonly string[] = this.spell(tokens)): void {
    const { size } = this.#vocabulary;
    let next = size;
    for (const id of this.#tokens.keys()) next = Math.max(next, id + 1);
    for (const [i, token] of tokens.entries()) {
      if (token.content === "") continue;
      if (token.special) this.#special.add(token.content);
      const id = (keepIds ? token.id : undefined) ?? this.id(token.content) ?? next++;
      if (keepIds) next = Math.max(next, id + 1);
      this.#ids.set(token.content, id);
      this.#tokens.set(id, token);
      this.#spellings.set(id, spellings[i]);
    }
    this.#finders = undefined;
  }

  /** How tokens are spelled in normalised text. */
  spell(tokens: readonly AddedToken[]): string[] {
    return tokens.map(({ content, normalized }) => normalized ? this.#normalize(content) : content);
  }

  /** The id of an added token or of one of the vocabulary. */
  id(token: string): number | undefined {
    return this.#ids.get(token) ?? this.#vocabulary.id(token);
  }

  /** The token of an id, added or of the vocabulary; as in Rust, an added one is spelled as it is found in normalised text. */
  token(id: number): string | undefined {
    return this.#spellings.get(id) ?? this.#vocabulary.token(id);
  }

  /** Whether decoding can skip a token. */
  isSpecial(token: string): boolean {
    return this.#special.has(token);
  }

  /** How many tokens there are, the vocabulary's included. */
  get size(): number {
    const others = [...this.#ids.keys()].filter((token) => this.#vocabulary.id(token) === undefined);
    return this.#vocabulary.size + others.length;
  }

  /** The tokens with their ids, in the ids' order. */
  get entries(): (AddedToken & { id: number })[] {
    return [...this.#tokens].sort(([a], [b]) => a - b).map(([id, token]) => ({ ...token, id }));
  }

  /** Make what finds the tokens in texts, unless it is there: for many tokens it takes longer than any text. */
  prepare(): void {
    this.#finders ??= this.#makeFinders();
  }

  /** Cut a text into added tokens and normalised text between them. */
  split(text: string): TextSegment[] {
    const [plain, normalized] = this.#finders ??= this.#makeFinders();
    return plain.cut({ text, first: true }).flatMap((segment) => {
      if (segment.id !== undefined) return segment;
      const text = this.#normalize(segment.text);
      return normalized.cut({ text, first: segment.first && !this.#losesFirst(segment.text, text) });
    });
  }

  /** Whether normalising removes a text's first character, so that the rest does not count as the text's beginning. */
  #losesFirst(text: string, normalized: string): boolean {
    const first = String.fromCodePoint(text.codePointAt(0)!);
    return this.#normalize(first) === "" && this.#normalize(text.slice(first.length)) === normalized;
  }

  #makeFinders(): [Finder, Finder] {
    const [plain, normalized] = [new Finder(), new Finder()];
    for (const [id, token] of this.#tokens) {
      (token.normalized ? normalized : plain).add(this.#spellings.get(id)!, id, token);
    }
    return [plain, normalized];
  }
}

/** A node of a trie over UTF-16 units, with the token that ends there. */
interface Node {
  readonly next: Map<number, Node>;
  found?: { readonly id: number; readonly token: AddedToken };
}

const beginsWithWord = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const isSpace = /^\p{White_Space}/u;

/** Finds tokens in texts: the leftmost first, and of several at one place the longest. */
class Finder {
  readonly #root: Node = { next: new Map() };

  add(spelling: string, id: number, token: AddedToken): void {
    let node = this.#root;
    for (let i = 0; i < spelling.length; i++) {
      const unit = spelling.charCodeAt(i);
      if (!node.next.has(unit)) node.next.set(unit, { next: new Map() });
      node = node.next.get(unit)!;
    }
    if (node !== this.#root) node.found ??= { id, token };
  }

  /** Cut a segment at the tokens found in it; empty segments are left out. */
  cut({ text, first }: TextSegment): TextSegment[] {
    const segments: TextSegment[] = [];
    let end = 0;
    const add = (from: number, to: number, id?: number): void => {
      if (to > from) segments.push({ text: text.slice(from, to), id, first: first && from === 0 });
    };
    for (let at = 0; at < text.length;) {
      const match = this.#longest(text, at);
      if (!match) {
        at++;
        continue;
      }
      const { id, token } = match.found;
      let [from, to] = [at, match.end];
      at = to;
      if (token.single_word && (isWordBefore(text, from) || beginsWithWord.test(text.slice(to, to + 2)))) continue;
      if (token.lstrip) {
        while (from > end && isSpace.test(text[from - 1])) from--;
        from = Math.max(from, end);
      }
      if (token.rstrip) { while (isSpace.test(text[to] ?? "")) to++; }
      add(end, from);
      add(from, to, id);
      end = to;
    }
    add(end, text.length);
    return segments;
  }

  #longest(text: string, from: number): { found: NonNullable<Node["found"]>; end: number } | undefined {
    let best: { found: NonNullable<Node["found"]>; end: number } | undefined;
    let node = this.#root.next.get(text.charCodeAt(from));
    for (let at = from + 1; node; at++) {
      if (node.found) best = { found: node.found, end: at };
      node = at < text.length ? node.next.get(text.charCodeAt(at)) : undefined;
    }
    return best;
  }
}

function isWordBefore(text: string, at: number): boolean {
  const before = /[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(Math.max(0, at - 2), at)) ? at - 2 : at - 1;
  return at > 0 && beginsWithWord.test(text.slice(before, at));
}
