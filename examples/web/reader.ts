// The worker of the page: it loads the model, reads pictures, and says at each word where the model looked. Nothing of this runs on the
// page's own thread.
import { type Caption, Captioner } from "@limner/limner";
import { ModelFiles } from "./model_files.ts";
import type { Answer, Reading, Request, Word } from "./page/messages.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<Request>) => void;
  postMessage(answer: Answer): void;
};

let loading: Promise<Captioner> | undefined;
/** Ends the reading of the picture before. */
let reading = new AbortController();

/** On WebGPU, else in WebAssembly; a GPU in software comes last. */
async function load({ model, backend }: Extract<Request, { kind: "load" }>): Promise<Captioner> {
  const began = performance.now();
  const files = new ModelFiles(new URL(model), (progress) => scope.postMessage({ kind: "loading", ...progress }));
  const loaded = await Captioner.load(files, {
    backend,
    onProgress: ({ stage, file = "", done, total }) => scope.postMessage({ kind: "loading", stage, file, done, total }),
  });
  const { name, device } = loaded.model.backend;
  scope.postMessage({ kind: "ready", backend: name, device, milliseconds: performance.now() - began });
  return loaded;
}

/** Words of tokens: a word is what stands between blanks, and where the model looked is the mean over its tokens. */
function wordsOf({ tokens, attention }: Caption): Word[] {
  const words: { text: string; confidence: number; heat: Float32Array; tokens: number }[] = [];
  let blank = "";
  for (const [i, { text, confidence }] of tokens.entries()) {
    const heat = attention!.tokens[i].heat.data as Float32Array;
    for (const part of text.match(/\s+|\S+/g) ?? []) {
      if (part.trim() === "") {
        blank += part;
      } else if (words.length === 0 || blank !== "") {
        words.push({ text: blank + part, confidence, heat: heat.slice(), tokens: 1 });
        blank = "";
      } else {
        addToken(words.at(-1)!, part, confidence, heat);
      }
    }
  }
  return words;
}

function addToken(
  word: { text: string; confidence: number; readonly heat: Float32Array; tokens: number },
  text: string,
  confidence: number,
  heat: Float32Array,
): void {
  word.text += text;
  word.confidence *= confidence;
  word.tokens++;
  for (let cell = 0; cell < heat.length; cell++) word.heat[cell] += (heat[cell] - word.heat[cell]) / word.tokens;
}

async function read({ id, picture }: Extract<Request, { kind: "read" }>): Promise<void> {
  reading.abort();
  reading = new AbortController();
  const { signal } = reading;
  const began = performance.now();
  const captioner = await loading!;
  const pieces = captioner.stream(picture, { outputAttentions: true, signal });
  let first: number | undefined;
  for (;;) {
    const { done, value } = await pieces.next();
    first ??= performance.now() - began;
    if (signal.aborted) return;
    if (done) {
      scope.postMessage({ kind: "read", id, reading: readingOf(value, first, performance.now() - began) });
      return;
    }
    scope.postMessage({ kind: "piece", id, text: value });
  }
}

function readingOf(caption: Caption, first: number, last: number): Reading {
  const { attention, text, truncated, tokens } = caption;
  const { cell, tokens: attended } = attention!;
  const grid = attended[0].heat.shape as [number, number];
  return { text, words: wordsOf(caption), grid, cell, truncated, tokens: tokens.length, first, last };
}

scope.onmessage = ({ data }) => {
  const id = data.kind === "read" ? data.id : undefined;
  const failed = (error: unknown) => {
    if ((error as Error)?.name === "AbortError") return;
    scope.postMessage({ kind: "failed", id, message: error instanceof Error ? error.message : String(error) });
  };
  if (data.kind === "read") read(data).catch(failed);
  else (loading = load(data)).catch(failed);
};
