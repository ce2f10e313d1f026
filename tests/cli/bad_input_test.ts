// Bad pictures, bad models and missing backends at the command: one line that names the fault, and never a stack trace.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { caption, execute, root } from "./command_process.ts";

const line = "assets/examples/line.png";
const bad = "tests/fixtures/bad";

Deno.test("caption.ts says in one line what is wrong with each bad picture, and reads the good one", async () => {
  const expected: Record<string, string> = {
    "nowhere.png": "there is no such file",
    "assets": "it is a folder",
    [`${bad}/images/zero_bytes.png`]: "empty",
    [`${bad}/images/text.jpg`]: "it holds text",
    [`${bad}/images/truncated_half.jpg`]: "",
    [`${bad}/images/truncated_header.jpg`]: "",
    [`${bad}/images/truncated_half.png`]: "",
    [`${bad}/images/truncated_header.png`]: "",
    [`${bad}/images/bad_crc.png`]: "",
    [`${bad}/images/bomb.png`]: "2147483647 x 2147483647",
    [`${bad}/images/bomb_60000.png`]: "60000 x 60000",
    [`${bad}/images/bomb.jpg`]: "65500 x 65500",
    [`${bad}/images/zero_size.png`]: "",
    [`${bad}/images/huge_chunk.png`]: "",
  };
  const files = Object.keys(expected);
  const { code, stdout, complaints } = await caption([...files, line]);
  assertEquals(stdout, "ninth century Zen master\n");
  assertEquals(code, 1);
  assertEquals(complaints.length, files.length, complaints.join("\n"));
  for (const [i, file] of files.entries()) {
    assertStringIncludes(complaints[i], file);
    assertStringIncludes(complaints[i], expected[file]);
    assert(!complaints[i].startsWith("caption: TypeError"), complaints[i]);
  }
});

Deno.test("caption.ts names standard input where it holds no picture", async () => {
  const { code, stdout, complaints } = await caption(["-"], { stdin: new Uint8Array() });
  assertEquals([code, stdout, complaints.length], [1, "", 1]);
  assertStringIncludes(complaints[0], "standard input");
});

Deno.test("caption.ts names the permission that a picture's address needs", async () => {
  for (const [address, host] of [["http://example.com/a.png", "example.com"], ["http://192.0.0.8/a.png", undefined]]) {
    const args = ["run", "--quiet", "--no-prompt", "--allow-read", "--allow-env", "caption.ts", address!];
    const { code, complaints } = await execute(Deno.execPath(), args);
    assertEquals([code, complaints.length], [1, 1]);
    const why = host ? `it is not permitted: Requires net access to "${host}"` : "it is a private address";
    assertStringIncludes(complaints[0], `Cannot download picture ${address}: ${why}`);
  }
});

/** A copy of the embedded model's folder, changed. */
async function changedModel(change: (folder: string) => Promise<void>): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "limner_model_" });
  for await (const { name } of Deno.readDir(`${root}assets/model`)) {
    await Deno.copyFile(`${root}assets/model/${name}`, `${folder}/${name}`);
  }
  await change(folder);
  return folder;
}

/** Rewrite a safetensors header; its length stays, so that the data stay where they are. */
async function rewriteHeader(file: string, rewrite: (header: Record<string, { shape: number[] }>) => void) {
  const bytes = await Deno.readFile(file);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  rewrite(header);
  const text = JSON.stringify(header).padEnd(length);
  assertEquals(text.length, length);
  bytes.set(new TextEncoder().encode(text), 8);
  await Deno.writeFile(file, bytes);
}

async function editJson(file: string, edit: (json: Record<string, unknown>) => void): Promise<void> {
  const json = JSON.parse(await Deno.readTextFile(file));
  edit(json);
  await Deno.writeTextFile(file, JSON.stringify(json));
}

const head = "decoder.output_projection.weight";
const badModels: Record<string, { change: (folder: string) => Promise<void>; names: string[] }> = {
  "has no config.json": { change: (folder) => Deno.remove(`${folder}/config.json`), names: ["config.json"] },
  "has a broken config.json": {
    change: (folder) => Deno.writeTextFile(`${folder}/config.json`, `{ "model_type": `),
    names: ["config.json"],
  },
  "is of another type": {
    change: (folder) => editJson(`${folder}/config.json`, (config) => config.model_type = "llama"),
    names: ["model_type", "llama", "vision-encoder-decoder"],
  },
  "has an encoder of an unknown type": {
    change: (folder) =>
      editJson(`${folder}/config.json`, (config) => Object.assign(config.encoder!, { model_type: "vitt" })),
    names: ["encoder", "vitt"],
  },
  "has no weights": { change: (folder) => Deno.remove(`${folder}/model.safetensors`), names: ["model.safetensors"] },
  "lacks a weight": {
    change: (folder) =>
      rewriteHeader(`${folder}/model.safetensors`, (header) => {
        header["x" + head.slice(1)] = header[head];
        delete header[head];
      }),
    names: [head],
  },
  "has a weight of another shape": {
    change: (folder) => rewriteHeader(`${folder}/model.safetensors`, (header) => void header[head].shape.reverse()),
    names: [head, "260, 192", "192, 260"],
  },
  "has weights that are cut short": {
    change: (folder) => Deno.truncate(`${folder}/model.safetensors`, 4_000_000),
    names: ["model.safetensors"],
  },
  "has no tokenizer": {
    change: async (folder) => {
      for (const name of ["tokenizer.json", "tokenizer_config.json"]) await Deno.remove(`${folder}/${name}`);
    },
    names: ["tokenizer.json"],
  },
};

for (const [what, { change, names }] of Object.entries(badModels)) {
  Deno.test(`caption.ts says in one line that a model ${what}`, async () => {
    const folder = await changedModel(change);
    try {
      const { code, stdout, complaints } = await caption(["--model", folder, line]);
      assertEquals([code, stdout], [1, ""]);
      assertEquals(complaints.length, 1, complaints.join("\n"));
      for (const name of names) assertStringIncludes(complaints[0], name);
      assert(!/TypeError|RangeError|SyntaxError: /.test(complaints[0]), complaints[0]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("caption.ts says in one line that there is no model", async () => {
  const { code, stdout, complaints } = await caption(["--model", "nowhere/model", line]);
  assertEquals([code, stdout, complaints.length], [3, "", 1]);
  assertStringIncludes(complaints[0], "nowhere/model");
});

Deno.test("a backend asked for by name fails with the reason, and never falls back", async () => {
  const ffi = await caption(["--backend", "ffi", line], { env: { LIMNER_ORT_LIBRARY: "/nowhere/libonnxruntime.so" } });
  assertEquals([ffi.code, ffi.stdout, ffi.complaints.length], [1, "", 1], ffi.stderr);
  assertStringIncludes(ffi.complaints[0], "/nowhere/libonnxruntime.so");
});

Deno.test("the webgpu backend fails with the reason where there is no adapter, and never falls back", async () => {
  // Deno is told to look only for an interface that this system does not have.
  const env = { DENO_WEBGPU_BACKEND: Deno.build.os === "windows" ? "metal" : "dx12" };
  const { code, stdout, stderr, complaints } = await caption(["--backend", "webgpu", line], { env });
  assertEquals([code, stdout, complaints.length], [1, "", 1], stderr);
  assertStringIncludes(complaints[0], "no GPU");
});
