// The project's imports as rules: which folder may import which, no cycles, types included, who names packages, and who may
// touch a native library or a GPU. It reads sources as text, so that a test can hand it sources that break a rule.

/** A part of the project. */
export interface Room {
  /** What it holds, in a few words. */
  readonly holds: string;
  /** What it may import, besides itself; `…` before a name also stands for what that part may import. */
  readonly imports: readonly string[];
}

/** The parts: the folders of src and backends, and the files at the root. */
export const rooms: Readonly<Record<string, Room>> = {
  "src/errors": { holds: "every error thrown on purpose", imports: [] },
  "src/packages": { holds: "a file for each package from npm or JSR", imports: [] },
  "src/async": { holds: "queues, channels, workers, aborts", imports: ["src/errors"] },
  "src/limits": { holds: "how much may be asked for", imports: ["src/errors"] },
  "src/wasm": { holds: "an assembler for WebAssembly", imports: [] },
  "src/tensor": { holds: "data types and host tensors", imports: ["src/errors"] },
  "src/weights": { holds: "what is known of a stored weight", imports: ["…src/tensor", "src/async", "src/wasm"] },
  "src/graph": { holds: "the tensor program, and the seam to backends", imports: ["…src/weights", "src/async"] },
  "src/operators": { holds: "operators and their shape rules", imports: ["…src/graph"] },
  "src/passes": { holds: "graphs to graphs", imports: ["…src/operators"] },
  "src/gradient": { holds: "the gradient of a program", imports: ["…src/passes"] },
  "src/hub": { holds: "folders, addresses, the Hub by name", imports: ["src/errors"] },
  "src/checkpoint": { holds: "weight files, read and written", imports: ["…src/hub", "…src/weights", "src/async"] },
  "src/image": {
    holds: "pictures to pixel values",
    imports: ["…src/hub", "…src/tensor", "src/packages", "src/async", "src/limits", "src/wasm"],
  },
  "src/tokenizer": {
    holds: "text to token ids and back",
    imports: ["…src/hub", "…src/tensor", "src/packages", "src/limits"],
  },
  "backends/onnx": { holds: "graphs as ONNX models", imports: ["…src/passes"] },
  "backends/ffi": { holds: "libonnxruntime through FFI", imports: ["…backends/onnx"] },
  "backends/wasm": { holds: "ONNX Runtime in WebAssembly", imports: ["…backends/onnx", "src/packages"] },
  "backends/measured": { holds: "speeds of devices, remembered", imports: ["…src/operators"] },
  "backends/webgpu": { holds: "WGSL kernels", imports: ["…src/passes", "backends/measured"] },
  "backends/reference": { holds: "plain TypeScript, the oracle", imports: ["…src/passes"] },
  "backends": {
    holds: "a backend by its name",
    imports: [
      ...["…src/graph", "backends/measured"],
      ...["backends/ffi", "backends/wasm", "backends/webgpu", "backends/reference"],
    ],
  },
  "src/models": {
    holds: "families as programs, their parameters",
    imports: ["…src/gradient", "…src/checkpoint", "src/limits"],
  },
  "src/generation": { holds: "from logits to tokens", imports: ["…src/models"] },
  "src/attention": {
    holds: "where the model looked",
    imports: ["…src/models", "src/image", "src/tokenizer", "src/packages"],
  },
  "src/model": { holds: "the model a user holds", imports: ["…src/generation", "backends", "src/packages"] },
  "src/training": { holds: "the loss goes down", imports: ["…src/model", "src/image", "src/tokenizer"] },
  "src/captioner": { holds: "a picture in, its text out", imports: ["…src/model", "…src/attention"] },
  "src/serve": { holds: "requests share the model", imports: ["…src/captioner"] },
  "src/cli": {
    holds: "the command",
    imports: [
      ...["src/captioner", "src/model", "src/generation", "src/attention", "src/image", "src/hub", "src/graph"],
      ...["src/training", "src/tokenizer", "src/serve", "src/async"],
      ...["backends", "src/errors", "src/packages", "deno.json"],
    ],
  },
  "caption.ts": { holds: "the command's entry", imports: ["src/cli"] },
  "mod.ts": { holds: "the library's entry", imports: ["…src/captioner", "src/training"] },
};

/** The part that may import a backend, and only by `import()` or as types. */
const seesBackends = "backends";
/** What is beside the backends and is none. */
const measures = "backends/measured";

/** The part that names packages: one in a file, and wholly, since no import map is there where others import Limner. */
const namesPackages = "src/packages";

/** A package's name and version; from npm an exact version, as there is no lock file. */
const packageSpecifier = /^(?:npm:((?:@[^/@]+\/)?[^/@]+)@\d+\.\d+\.\d+|jsr:(@[^/@]+\/[^/@]+)@[^/]+)(?:\/|$)/;

/** What may be named in few parts only. */
const confined: readonly { readonly pattern: RegExp; readonly what: string; readonly parts: readonly string[] }[] = [
  { pattern: /\bDeno\.dlopen\b/, what: "Deno.dlopen", parts: ["backends/ffi"] },
  { pattern: /\bGPUDevice\b/, what: "GPUDevice", parts: ["backends/webgpu"] },
  { pattern: /\bnavigator\.gpu\b/, what: "navigator.gpu", parts: ["backends/webgpu"] },
  { pattern: /\bimport\(\s*[^"\s]/, what: "an import whose name is computed", parts: ["backends/ffi", "src/packages"] },
];

/** One import of a file. */
export interface Import {
  readonly specifier: string;
  readonly kind: "value" | "type" | "lazy";
}

/** @returns The imports and re-exports of a TypeScript source. */
export function importsOf(source: string): Import[] {
  const code = withoutComments(source);
  const found: Import[] = [];
  for (const [, type, specifier] of code.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^;"']*?\sfrom\s+)?"([^"]+)"/gm)) {
    found.push({ specifier, kind: type ? "type" : "value" });
  }
  for (const [, specifier] of code.matchAll(/\bimport(?:\.source)?\(\s*"([^"]+)"/g)) {
    found.push({ specifier, kind: "lazy" });
  }
  return found;
}

/**
 * Check sources against the rules.
 *
 * @param sources Source text by path from the project's root, for example `src/tensor/mod.ts`.
 * @returns One line for each rule that is broken; empty if none is.
 */
export function violations(sources: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  const edges = new Map<string, string[]>();
  for (const [file, source] of sources) {
    const part = partOf(file);
    if (!(part in rooms)) found.push(`${file}: no rule says what ${part} may import`);
    const targets: string[] = [];
    for (const { specifier, kind } of importsOf(source)) {
      if (!specifier.startsWith(".")) {
        if (part !== namesPackages && !specifier.startsWith("node:")) {
          found.push(`${file} imports ${specifier}: only ${namesPackages} names packages`);
        }
        continue;
      }
      const target = resolveImport(file, specifier);
      if (kind !== "lazy") targets.push(target);
      const privacy = privacyProblem(file, target);
      if (privacy) found.push(privacy);
      const problem = edgeProblem(part, partOf(target), kind);
      if (problem) found.push(`${file} imports ${target}: ${problem}`);
    }
    edges.set(file, targets);
    for (const { pattern, what, parts } of confined) {
      if (!parts.includes(part) && pattern.test(withoutComments(source))) {
        found.push(`${file}: ${what} stands only in ${parts.join(" and ")}`);
      }
    }
  }
  found.push(...packageProblems(sources));
  return [...found, ...cycles(edges).map((cycle) => `cycle: ${cycle.join(" → ")}`)];
}

function packageProblems(sources: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  const owners = new Map<string, string>();
  for (const [file, source] of sources) {
    if (partOf(file) !== namesPackages) continue;
    const named = new Set<string>();
    for (const { specifier } of importsOf(source)) {
      const [whole, npm, jsr] = packageSpecifier.exec(specifier) ?? [];
      if (!whole) found.push(`${file}: ${specifier} is not a package with its version, such as npm:name@1.2.3`);
      else named.add(whole.replace(/\/$/, ""));
      const owner = owners.get(npm ?? jsr) ?? file;
      if (owner !== file) found.push(`${file}: ${npm ?? jsr} is named in ${owner} too`);
      owners.set(npm ?? jsr, owner);
    }
    if (named.size > 1) found.push(`${file} names more than one package: ${[...named].join(", ")}`);
  }
  return found;
}

function edgeProblem(from: string, to: string, kind: Import["kind"]): string | undefined {
  if (from === to) return undefined;
  if (to.startsWith("backends/") && !from.startsWith("backends/")) {
    if (from !== seesBackends) return `only ${seesBackends} sees backends`;
    return kind === "value" && to !== measures ? "backends are imported lazily" : undefined;
  }
  if (from in rooms && !closure(from).has(to)) return `${from} may not import ${to}`;
}

/** A file whose name begins with "_" is its folder's own. */
function privacyProblem(file: string, target: string): string | undefined {
  const [folder, name] = [target.slice(0, target.lastIndexOf("/") + 1), target.slice(target.lastIndexOf("/") + 1)];
  if (!name.startsWith("_") || file.startsWith(folder)) return undefined;
  return `${file} imports ${target}, which is private to ${folder}`;
}

function closure(part: string): Set<string> {
  const parts = new Set<string>();
  for (const entry of rooms[part].imports) {
    const name = entry.replace("…", "");
    parts.add(name);
    if (entry !== name) { for (const inner of closure(name)) parts.add(inner); }
  }
  return parts;
}

// src/image/mod.ts is of src/image; a file of src itself is of src, which puts the parts together, unless it is named.
/** The folder of src or of backends that a file is in, or the file where it stands at the root. */
export function partOf(file: string): string {
  const [first, second] = file.split("/");
  if (!second || second.endsWith(".ts")) return first === "backends" ? first : file;
  return `${first}/${second}`;
}

export function resolveImport(file: string, specifier: string): string {
  return new URL(specifier, `file:///${file}`).pathname.slice(1);
}

function withoutComments(source: string): string {
  return source.replace(/^\s*(\/\/|\/?\*).*$/gm, "").replace(/\s\/\/ .*$/gm, "");
}

// Depth-first; each cycle is reported once, where it closes.
function cycles(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const finished = new Set<string>();
  const visit = (file: string, path: string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.push([...path.slice(at), file]);
    if (at >= 0 || finished.has(file)) return;
    for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
    finished.add(file);
  };
  for (const file of edges.keys()) visit(file, []);
  return found;
}
