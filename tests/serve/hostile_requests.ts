// Requests of strangers, drawn with a seed: each kind has a status that is right for it, whatever was drawn.
import { crc32, deflateSync } from "node:zlib";
import { chat, dataUrl, examples } from "./server_process.ts";

const [{ picture }] = examples;
const json = { "content-type": "application/json" };

/** A request by `fetch`, and the statuses that are right for it. */
export interface HostileRequest {
  readonly name: string;
  readonly path?: string;
  readonly method?: string;
  readonly body?: BodyInit;
  readonly headers?: Record<string, string>;
  readonly right: number | readonly number[];
}

/** What is written to a connection byte by byte. */
export interface HostileBytes {
  readonly name: string;
  readonly bytes: string;
  /** The connection is cut right after; nobody reads an answer. */
  readonly cut?: boolean;
  /** The one answer that is right; else any 4xx, or a closed connection. */
  readonly right?: number;
}

/** Random numbers of a seed. */
export class Draw {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from `least` to `most` (mulberry32). */
  number(least: number, most: number): number {
    let t = this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return least + Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * (most - least + 1));
  }

  of<T>(values: readonly T[]): T {
    return values[this.number(0, values.length - 1)];
  }

  word(letters = "abcdefghijklmnopqrstuvwxyz"): string {
    return Array.from({ length: this.number(3, 12) }, () => this.of([...letters])).join("");
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.number(0, 255));
  }
}

/** A whole PNG of white, whose pixels take some thousandth of what they take in memory. */
export function bomb(width: number, height: number): Uint8Array<ArrayBuffer> {
  const chunk = (type: string, data: Uint8Array) => {
    const bytes = new Uint8Array(12 + data.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, data.length);
    bytes.set(new TextEncoder().encode(type), 4);
    bytes.set(data, 8);
    view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
    return bytes;
  };
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  view.setUint8(8, 1); // one bit a pixel, grey
  const pixels = new Uint8Array(deflateSync(new Uint8Array((1 + Math.ceil(width / 8)) * height)));
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  const parts = [signature, chunk("IHDR", header), chunk("IDAT", pixels), chunk("IEND", new Uint8Array())];
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** A PNG whose header says another size than its pixels have. */
export function resized(width: number, height: number): Uint8Array<ArrayBuffer> {
  const bytes = picture.slice();
  const view = new DataView(bytes.buffer);
  view.setUint32(16, width);
  view.setUint32(20, height);
  return bytes;
}

/** Brackets, braces or both, one in the other, and what closes them. */
export function deep(depth: number, kinds: readonly ("[" | "{")[] = ["["]): string {
  const opening = Array.from({ length: depth }, (_, i) => kinds[i % kinds.length]);
  const closing = opening.toReversed().map((kind) => kind === "[" ? "]" : "}");
  return opening.map((kind) => kind === "[" ? "[" : '{"a":').join("") + "1" + closing.join("");
}

/** An address of a private network, in one of the spellings that URL takes. */
function privateAddress(draw: Draw): string {
  const byte = () => draw.number(0, 255);
  const v4 = draw.of([
    () => [10, byte(), byte(), byte()],
    () => [127, byte(), byte(), byte()],
    () => [169, 254, byte(), byte()],
    () => [172, draw.number(16, 31), byte(), byte()],
    () => [192, 168, byte(), byte()],
    () => [100, draw.number(64, 127), byte(), byte()],
    () => [0, byte(), byte(), byte()],
  ])();
  const whole = v4.reduce((sum, part) => sum * 256 + part, 0);
  const hex = (count: number) => Array.from({ length: count }, () => draw.number(0, 65535).toString(16)).join(":");
  const host = draw.of([
    () => v4.join("."),
    () => String(whole),
    () => `0x${whole.toString(16)}`,
    () => v4.map((part) => `0${part.toString(8)}`).join("."),
    () => `[::ffff:${v4.join(".")}]`,
    () => `[64:ff9b::${v4.join(".")}]`,
    () => `[${draw.of(["fc", "fd"])}${draw.number(16, 255).toString(16)}:${hex(7)}]`,
    () => `[fe${draw.of([8, 9, "a", "b"])}0:${hex(7)}]`,
    () => draw.of(["[::1]", "[::]", "localhost"]),
  ])();
  const user = draw.of(["", "", "user:secret@"]);
  return `https://${user}${host}${draw.of(["", ":8443", ":22"])}/${draw.word()}.png`;
}

const chatPath = "/v1/chat/completions";
const drawnJson = (draw: Draw): unknown =>
  draw.of([draw.number(-9, 9), null, true, [], {}, [draw.word()], { url: draw.word() }, 1e300, [[[]]]]);

/** Options that no text can have, as they stand in a query. */
function wrongOption(draw: Draw): string {
  return draw.of([
    () => `${draw.word()}${draw.word()}=1`,
    () => `maxNewTokens=${-draw.number(1, 1e6)}`,
    () => `maxNewTokens=${draw.word()}`,
    () => `maxNewTokens=${draw.number(1e6, 1e9)}`,
    () => `numBeams=${draw.number(9, 1e6)}`,
    () => `doSample=true&temperature=-${draw.number(1, 99)}`,
    () => `doSample=true&topP=${draw.number(2, 99)}`,
    () => `doSample=${draw.word()}`,
    () => `topK=0x${draw.number(1, 99)}&doSample=true`,
    () => `repetitionPenalty=-${draw.number(1, 99)}`,
    () => `seed=${draw.number(1, 1e9)}`,
    () => `page=${draw.number(2, 1e6)}`,
    () => `temperature=Infinity&doSample=true`,
  ])();
}

/** The kinds of requests that `fetch` makes. */
const kinds: readonly ((draw: Draw) => HostileRequest)[] = [
  (draw) => {
    const type = `${draw.of(["text", "video", "audio", "font", "model"])}/${draw.word()}`;
    return {
      name: `type ${type}`,
      body: draw.of([picture, draw.word()]),
      headers: { "content-type": type },
      right: 415,
    };
  },
  (draw) => {
    const type = `image/${draw.of(["png", "jpeg", "gif", "webp", "tiff", "avif", "bmp"])}`;
    const body = draw.bytes(draw.number(1, 3000));
    return { name: `noise as ${type}`, body, headers: { "content-type": type }, right: 400 };
  },
  (draw) => {
    const length = draw.number(1, Math.floor(0.6 * picture.length));
    return { name: `${length} bytes of a picture`, body: picture.slice(0, length), right: 400 };
  },
  (draw) => {
    const [width, height] = [draw.number(9e3, 2 ** 31 - 1), draw.number(9e3, 2 ** 31 - 1)];
    return { name: `a header of ${width} x ${height}`, body: resized(width, height), right: [400, 413] };
  },
  (draw) => {
    const [width, height] = [draw.number(9_000, 11_000), draw.number(9_000, 11_000)];
    return { name: `a bomb of ${width} x ${height}`, body: bomb(width, height), right: 413 };
  },
  (draw) => ({ name: "a body that is too long", body: new Uint8Array(2 ** 20 + draw.number(1, 9999)), right: 413 }),
  (draw) => {
    const text = deep(draw.number(100, 100_000), draw.of([["["], ["{"], ["[", "{"]] as const));
    const body = draw.of([text, `{"image":${text}}`, `{"image":"a","x":${text}}`]);
    return { name: "deep JSON", path: draw.of(["/caption", chatPath]), body, headers: json, right: 400 };
  },
  (draw) => {
    const whole = draw.of([JSON.stringify({ image: dataUrl(picture), seed: 1 }), chat(dataUrl(picture))]);
    const body = whole.slice(0, draw.number(1, whole.length - 1));
    return { name: "JSON that is cut", path: draw.of(["/caption", chatPath]), body, headers: json, right: 400 };
  },
  (draw) => {
    const image = drawnJson(draw);
    return { name: `a picture ${JSON.stringify(image)}`, body: JSON.stringify({ image }), headers: json, right: 400 };
  },
  (draw) => {
    const messages = draw.of([drawnJson(draw), [drawnJson(draw)], [{ role: "user", content: [drawnJson(draw)] }]]);
    const body = JSON.stringify({ model: "limner", messages });
    return { name: `messages ${JSON.stringify(messages)}`, path: chatPath, body, headers: json, right: 400 };
  },
  (draw) => {
    const option = wrongOption(draw);
    return { name: `option ${option}`, path: `/caption?${option}`, body: picture, right: 400 };
  },
  (draw) => {
    const [path, method] = draw.of([
      ...[["/caption", "GET"], ["/caption", "DELETE"], ["/caption", "PUT"], ["/metrics", "POST"]] as const,
      ...[["/healthz", "DELETE"], [chatPath, "PATCH"], ["/v1/models", "PUT"], ["/openapi.json", "POST"]] as const,
    ]);
    return { name: `${method} ${path}`, path, method, right: 405 };
  },
  (draw) => {
    const path = `/${draw.of(["", "%2e%2e/", "v1/", "caption/", "..%2f..%2f"])}${draw.word()}${
      draw.of(["", ".php", "%00", "//"])
    }`;
    return { name: `path ${path}`, path, body: draw.of([picture, ""]), right: 404 };
  },
  (draw) => {
    const url = privateAddress(draw);
    return { name: `chat ${url}`, path: chatPath, body: chat(url), right: 403 };
  },
  (draw) => {
    const image = privateAddress(draw);
    return { name: `picture ${image}`, body: JSON.stringify({ image }), headers: json, right: 403 };
  },
  (draw) => {
    const scheme = draw.of(["http", "file", "ftp", "blob", "javascript", "gopher", "ws", draw.word()]);
    const url = `${scheme}://${draw.word()}.example/${draw.word()}`;
    return { name: `chat ${url}`, path: chatPath, body: chat(url), right: 400 };
  },
];

/** A number of requests, as many of each kind. */
export function hostileRequests(count: number, seed: number): HostileRequest[] {
  const draw = new Draw(seed);
  return Array.from({ length: count }, (_, i) => kinds[i % kinds.length](draw));
}

/** The kinds of what is written to a connection. */
const byteKinds: readonly ((draw: Draw) => HostileBytes)[] = [
  (draw) => ({ name: "a slow body", bytes: `${head}Content-Length: ${draw.number(10, 9999)}\r\n\r\nabc`, right: 408 }),
  (draw) => ({
    name: "a connection that is cut in the body",
    bytes: `${head}Content-Length: 99999\r\n\r\n${"a".repeat(draw.number(0, 9999))}`,
    cut: true,
  }),
  (draw) => ({
    name: "a connection that is cut in the head",
    bytes: head.slice(0, draw.number(1, head.length)),
    cut: true,
  }),
  (draw) => ({ name: "a huge header", bytes: `${head}${draw.word()}: ${"a".repeat(draw.number(5e5, 2e6))}\r\n\r\n` }),
  (draw) => ({ name: "many headers", bytes: `${head}${`${draw.word()}: a\r\n`.repeat(draw.number(500, 5000))}\r\n` }),
  (draw) => {
    const [one, other] = [draw.number(1, 9), draw.number(10, 99)];
    return {
      name: "two lengths",
      bytes: `${head}Content-Length: ${one}\r\nContent-Length: ${other}\r\n\r\n${"a".repeat(99)}`,
    };
  },
  (draw) => {
    const length = draw.of(["-5", "+5", "0x5", "5 5", draw.word(), "99999999999999999999"]);
    return { name: `length ${length}`, bytes: `${head}Content-Length: ${length}\r\n\r\nabcde` };
  },
  (draw) => {
    const size = draw.of(["xyz", "-1", "FFFFFFFFFFFFFFFFF", draw.word("ghijk")]);
    return { name: `chunk ${size}`, bytes: `${head}Transfer-Encoding: chunked\r\n\r\n${size}\r\nabc\r\n0\r\n\r\n` };
  },
  (draw) => {
    const inner = `GET /${draw.of(["healthz", "metrics"])} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const both = `${head}Content-Length: ${draw.number(1, 9)}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`;
    return { name: "a length beside chunks", bytes: both };
  },
  (draw) => ({ name: "no HTTP", bytes: `${draw.word("\0\x01\x7f$%&")}\r\n\r\n` }),
];

const head = "POST /caption HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\n";

/** A number of what is written to connections, as many of each kind. */
export function hostileBytes(count: number, seed: number): HostileBytes[] {
  const draw = new Draw(seed);
  return Array.from({ length: count }, (_, i) => byteKinds[i % byteKinds.length](draw));
}
