// Tokens beside a model's vocabulary, as the Rust library holds them (AddedVocabulary): they get ids of their own and are
// found in a text before all other rules, some in the text as it is, the others once it is normalised.
import type { AddedToken } from "../files/definition.ts";
import type { Normalize } from "./normalizers.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A stretch of a text: an added token where `id` is given, and else text to be cut further. */
export interface Stretch {
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
   * @param keepIds Whether the ids that tokens come with count.
   */
  add(tokens: readonly AddedToken[], keepIds = false): void {
    const { size } = this.#vocabulary;
    let next = Math.max(size, ...[...this.#tokens.keys()].map((id) => id + 1));
    for (const token of tokens) {
      if (token.content === "") continue;
      if (token.special) this.#special.add(token.content);
      const id = (keepIds ? token.id : undefined) ?? this.id(token.content) ?? next++;
      if (keepIds) next = Math.max(next, id + 1);
      this.#ids.set(token.content, id);
      this.#tokens.set(id, token);
      this.#spellings.set(id, token.normalized ? this.#normalize(token.content) : token.content);
    }
    this.#finders = undefined;
  }

  /** The id of an added token or of one of the vocabulary. */
  id(token: string): number | undefined {
    return this.#ids.get(token) ?? this.#vocabulary.id(token);
  }

  /** The token of an id, added or of the vocabulary; as Rust gives it back, added ones are spelled as they are found. */
  token(id: number): string | undefined {
    return this.#spellings.get(id) ?? this.#vocabulary.token(id);
  }

  /** Whether decoding can skip a token. */
  isSpecial(token: string): boolean {
    return this.#special.has(token);
  }

  /** How many tokens there are with the vocabulary's. */
  get size(): number {
    const others = [...this.#ids.keys()].filter((token) => this.#vocabulary.id(token) === undefined);
    return this.#vocabulary.size + others.length;
  }

  /** The tokens with their ids, in the ids' order. */
  get entries(): (AddedToken & { id: number })[] {
    return [...this.#tokens].sort(([a], [b]) => a - b).map(([id, token]) => ({ ...token, id }));
  }

  /** Cut a text into added tokens and normalised text between them. */
  split(text: string): Stretch[] {
    const [plain, normalized] = this.#finders ??= this.#makeFinders();
    return plain.cut({ text, first: true }).flatMap((stretch) => {
      if (stretch.id !== undefined) return stretch;
      const text = this.#normalize(stretch.text);
      return normalized.cut({ text, first: stretch.first && !this.#losesFirst(stretch.text, text) });
    });
  }

  /** Whether normalising takes a text's first character away: what is left is not the text's beginning any more. */
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

/** Finds spellings in texts: the leftmost first, and there the longest. */
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

  /** Cut a stretch at the tokens found in it; what is empty is left out. */
  cut({ text, first }: Stretch): Stretch[] {
    const stretches: Stretch[] = [];
    let end = 0;
    const add = (from: number, to: number, id?: number): void => {
      if (to > from) stretches.push({ text: text.slice(from, to), id, first: first && from === 0 });
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
    return stretches;
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
