// What a setting's value may be: how it is read from what a person or a file says, and what to say of one that is not it.

/** What reading a value depends on. */
export interface Context {
  /** The number V of tokens. */
  readonly vocabulary: number;
  /** Whether a person gave the value; a model's files may have what is of no effect. */
  readonly own: boolean;
}

/** What a setting may be. */
export interface ValueType<T> {
  /** What it is where nothing says, or null does. */
  readonly unset: T;
  /** Gives a value its type; undefined refuses it. */
  readonly read: (value: unknown, context: Context) => T | undefined;
  /** What it may be, in words. */
  readonly expected: string | ((vocabulary: number) => string);
}

/** What is neither set nor needed. */
type Optional<T> = ValueType<T | undefined>;

/** What passes a test. */
export function any<T>(
  expected: ValueType<T>["expected"],
  valid: (value: T, context: Context) => boolean,
): Optional<T> {
  return { unset: undefined, read: (value, context) => valid(value as T, context) ? value as T : undefined, expected };
}

/** The same with a value where nothing is said. */
export const or = <T>(unset: T, { read, expected }: Optional<T>): ValueType<T> => ({ unset, read, expected });

const number = (expected: string, valid: (n: number) => boolean): Optional<number> =>
  any<number>(expected, (value) => Number.isFinite(value) && valid(value));

export const whole = (least: number): Optional<number> =>
  number(`a whole number, at least ${least}`, (n) => Number.isSafeInteger(n) && n >= least);
export const real: Optional<number> = number("a number", () => true);
export const positive: Optional<number> = number("a number above 0", (n) => n > 0);
/** What divides scores; by less they would not stay finite. */
export const temperature: Optional<number> = number("a number above 0, at least 1e-20", (n) => n >= 1e-20);
export const share: Optional<number> = number("a number from 0 to 1", (n) => n >= 0 && n <= 1);
export const positiveShare: Optional<number> = number("a number above 0, at most 1", (n) => n > 0 && n <= 1);
export const cutoff: Optional<number> = number("a number from 0, below 1", (n) => n >= 0 && n < 1);
export const flag: ValueType<boolean> = or(false, any("true or false", (value) => typeof value === "boolean"));

const isFunction = (value: unknown): boolean => typeof value === "function";
/** A function. */
export const callable = <T>(): Optional<T> => any<T>("a function", isFunction);
/** A list of functions. */
export function callables<T>(): ValueType<readonly T[]> {
  return or<readonly T[]>([], any("a list of functions", (value) => Array.isArray(value) && value.every(isFunction)));
}

const isToken = (id: unknown, vocabulary: number): boolean =>
  Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabulary;
const tokensBelow = (vocabulary: number): string => `token ids below ${vocabulary}`;
const isSequence = (value: unknown, { vocabulary }: Context): boolean =>
  Array.isArray(value) && value.length > 0 && value.every((id) => isToken(id, vocabulary));

/** Of a model's own ids some may be of no token, which therefore do nothing. */
interface Lenient {
  readonly lenient?: boolean;
}

/** A token's id. */
export const token = ({ lenient = false }: Lenient = {}): Optional<number> =>
  any(
    (vocabulary) => `a token id below ${vocabulary}`,
    (value, { vocabulary, own }) => lenient && !own ? Number.isInteger(value) : isToken(value, vocabulary),
  );

/** A token's id, or several. */
export function tokens(options: Lenient = {}): ValueType<readonly number[]> {
  const { read } = token(options);
  return {
    unset: [],
    read: (value, context) => {
      const ids: unknown[] = [value].flat();
      return ids.every((id) => read(id, context) !== undefined) ? ids as number[] : undefined;
    },
    expected: tokensBelow,
  };
}

/** Sequences of tokens, none of them empty. */
export const sequences: Optional<readonly (readonly number[])[]> = any(
  (vocabulary) => `lists of ${tokensBelow(vocabulary)}`,
  (value, context) => Array.isArray(value) && value.every((sequence) => isSequence(sequence, context)),
);

/** Sequences of tokens, each with a number. */
export const biases: Optional<readonly (readonly [readonly number[], number])[]> = any(
  (vocabulary) => `pairs of a list of ${tokensBelow(vocabulary)} and a number`,
  (value, context) =>
    Array.isArray(value) && value.every((pair) => {
      return Array.isArray(pair) && pair.length === 2 && isSequence(pair[0], context) && Number.isFinite(pair[1]);
    }),
);

/** A value as an error shows it. */
export function show(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value !== "object") return typeof value === "string" ? JSON.stringify(value) : String(value);
  const unwritten = (part: unknown) => typeof part === "bigint" || (typeof part === "number" && !Number.isFinite(part));
  const text = JSON.stringify(value, (_, part) => unwritten(part) ? String(part) : part);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
