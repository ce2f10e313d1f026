// What a server may be asked to be, and what it is where nothing is said.
import { OptionError } from "../errors/mod.ts";

/** What is known of a request once it is answered. Neither its picture nor its key is in it. */
export interface RequestLog {
  /** When it was answered, as ISO 8601. */
  readonly time: string;
  /** The id that the answer has as `x-request-id`. */
  readonly id: string;
  /** The request's method. */
  readonly method: string;
  /** Its path, without the query. */
  readonly path: string;
  /** The answer's status; 499 where the client had gone. */
  readonly status: number;
  /** How long it took, a stream to its end. */
  readonly milliseconds: number;
  /** The tokens that were written for it. */
  readonly tokens?: number;
  /** With `debug`: how long its parts took, in milliseconds. */
  readonly parts?: Readonly<Record<string, number>>;
  /**
   * With `debug`: whether the two best scores of one of its tokens were within 1e-4 of each other. Only then may the text
   * depend on what shared its steps. Of a text by beams, whether two of its beams' sums were.
   */
  readonly nearTie?: boolean;
  /** Why it failed, if it did. */
  readonly code?: string;
  /** What the server failed with, if it was its own fault. */
  readonly fault?: string;
}

/** How requests are answered. */
export interface HandlerOptions {
  /**
   * The key that requests must have, as `Authorization: Bearer KEY` or `X-Api-Key: KEY`, or several; null for none.
   * @default undefined the environment's LIMNER_API_KEY, where it is set and may be read
   */
  readonly apiKey?: string | readonly string[] | null;
  /** What `/v1/models` calls the model. @default "limner" */
  readonly modelName?: string;
  /** Texts that are written at once. @default 16 */
  readonly slots?: number;
  /** Pictures that may wait for a slot; more are refused with 429. @default 256 */
  readonly maxWaiting?: number;
  /** Requests that may be under way at once, also those whose body is not there yet; more are refused with 429. @default 512 */
  readonly maxRequests?: number;
  /** The most bytes of a request's body, or of a picture under an address. @default 33554432 (32 MiB) */
  readonly maxBodyBytes?: number;
  /** The most pixels of a picture. @default undefined the captioner's */
  readonly maxPixels?: number;
  /** The most beams that a request may ask for. @default 8 */
  readonly maxBeams?: number;
  /** Milliseconds in which a body must arrive. @default 30000 */
  readonly bodyTimeout?: number;
  /** Milliseconds in which a request must be answered, its body included. @default 120000 */
  readonly requestTimeout?: number;
  /** Whether pictures may be given by their https address, which the server then fetches. @default false */
  readonly allowAddresses?: boolean;
  /** Whether such an address may be in a private network, and be http. @default false */
  readonly allowPrivateAddresses?: boolean;
  /** The origins whose pages may read answers, such as `https://example.org`, or "*" for all. @default none */
  readonly cors?: "*" | readonly string[];
  /**
   * Parts that the encoding of a picture is cut into, so that the texts under way go on between them.
   * @default undefined as its size asks for: 1 of a small encoder, 4 of ViT's base size
   */
  readonly encodeParts?: number;
  /** Whether `onAnswered` is told of the parts of a request's time, and of near ties. @default false */
  readonly debug?: boolean;
  /** Is told of each request once it is answered. */
  readonly onAnswered?: (entry: RequestLog) => void;
}

/** Options of which none is left open but what depends on the captioner. */
export type ServeSettings =
  & Required<Omit<HandlerOptions, "apiKey" | "maxPixels" | "encodeParts" | "onAnswered" | "cors">>
  & Pick<HandlerOptions, "maxPixels" | "encodeParts" | "onAnswered" | "cors">
  & { readonly apiKeys: readonly string[] };

const numbers = {
  slots: 16,
  maxWaiting: 256,
  maxRequests: 512,
  maxBodyBytes: 32 * 2 ** 20,
  maxBeams: 8,
  bodyTimeout: 30_000,
  requestTimeout: 120_000,
} as const;

const others = ["apiKey", "modelName", "allowAddresses", "allowPrivateAddresses", "cors", "debug", "onAnswered"];

/** Complete options. @throws {OptionError} If there is no such option, or a value it does not take. */
export function serveSettings(options: HandlerOptions): ServeSettings {
  const known = [...Object.keys(numbers), "maxPixels", "encodeParts", ...others];
  const stray = Object.keys(options).find((name) => !known.includes(name));
  if (stray) throw new OptionError(`Cannot serve: there is no option ${stray}; the options are ${known.join(", ")}`);
  const number = (name: keyof typeof numbers) => positive(name, options[name] ?? numbers[name]);
  for (const name of ["maxPixels", "encodeParts"] as const) {
    if (options[name] !== undefined) positive(name, options[name]);
  }
  return {
    ...Object.fromEntries(Object.keys(numbers).map((name) => [name, number(name as keyof typeof numbers)])) as {
      [Name in keyof typeof numbers]: number;
    },
    ...{ maxPixels: options.maxPixels, encodeParts: options.encodeParts, onAnswered: options.onAnswered },
    modelName: options.modelName ?? "limner",
    allowAddresses: options.allowAddresses ?? false,
    allowPrivateAddresses: options.allowPrivateAddresses ?? false,
    debug: options.debug ?? false,
    cors: options.cors,
    apiKeys: keysOf(options.apiKey),
  };
}

export function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new OptionError(`Cannot serve with ${name} = ${value}: expected a whole number from 1`);
}

/** The keys that open the server; none where it is open to all. */
function keysOf(given: HandlerOptions["apiKey"]): readonly string[] {
  if (given === null) return [];
  const keys = [given ?? keyOfEnvironment() ?? []].flat();
  if (keys.every((key) => typeof key === "string" && key !== "")) return keys;
  throw new OptionError("Cannot serve: apiKey is empty, expected a text, several, or null for none");
}

function keyOfEnvironment(): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: "LIMNER_API_KEY" });
  return state === "granted" ? Deno.env.get("LIMNER_API_KEY") || undefined : undefined;
}
