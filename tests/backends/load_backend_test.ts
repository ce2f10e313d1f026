// Which backend "auto" takes on machines of every kind; what the backends find on a machine is made up here.
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { BackendError } from "../../src/errors/mod.ts";
import type { Backend, BackendModule, BackendName } from "../../src/graph/mod.ts";
import { automatic, loadBackend, loadFirst } from "../../backends/load_backend.ts";
import { VisionEncoderDecoderModel } from "../../src/model/vision_encoder_decoder_model.ts";

/** A backend on a made-up machine: why it is not there, and how loading it fails; it runs where neither is given. */
interface Found {
  readonly reason?: string;
  readonly error?: Error;
  readonly software?: boolean;
}

/** Load ffi, else webgpu, else wasm. @returns The name of the backend, and which were looked at. */
async function loadOn(
  machine: { ffi: Found; webgpu: Found; wasm?: Found },
): Promise<{ name: BackendName; asked: BackendName[] }> {
  const asked: BackendName[] = [];
  const moduleOf = (name: BackendName): Promise<BackendModule> => {
    asked.push(name);
    const { reason = "", error, software } = machine[name as keyof typeof machine]!;
    return Promise.resolve({
      report: () => Promise.resolve({ name, available: reason === "", device: "", reason, software }),
      inspect: () => Promise.resolve({}),
      load: () => error ? Promise.reject(error) : Promise.resolve({ name } as Backend),
    });
  };
  const { name } = await loadFirst(machine.wasm ? automatic : ["ffi", "webgpu"], {}, moduleOf);
  return { name, asked };
}

Deno.test("loadBackend() takes ffi where nothing is asked for, though there may be a GPU", async () => {
  await using backend = await loadBackend();
  assertEquals(backend.name, "ffi");
});

Deno.test("loadFirst() does not look at a GPU where ffi runs", async () => {
  assertEquals(await loadOn({ ffi: {}, webgpu: {} }), { name: "ffi", asked: ["ffi"] });
});

Deno.test("loadFirst() takes the next backend where one is not there, or cannot be loaded after all", async () => {
  const asked = ["ffi", "webgpu"] as const;
  for (const ffi of [{ reason: "it needs --allow-ffi" }, { error: new BackendError("Cannot fetch it", "ffi") }]) {
    assertEquals(await loadOn({ ffi, webgpu: {} }), { name: "webgpu", asked: [...asked] });
  }
});

Deno.test("loadFirst() takes a GPU before wasm, and wasm before a GPU in software", async () => {
  const [ffi, wasm] = [{ reason: "it needs --allow-ffi" }, {}];
  assertEquals((await loadOn({ ffi, webgpu: {}, wasm })).name, "webgpu");
  assertEquals((await loadOn({ ffi, webgpu: { software: true }, wasm })).name, "wasm");
  const none = { error: new BackendError("Cannot fetch it", "wasm") };
  assertEquals((await loadOn({ ffi, webgpu: { software: true }, wasm: none })).name, "webgpu");
});

Deno.test("loadFirst() gives every backend's reason where none runs", async () => {
  const webgpu = { reason: "no GPU was found" };
  await assertRejects(
    () => loadOn({ ffi: { error: new BackendError("Cannot fetch it", "ffi") }, webgpu }),
    BackendError,
    "Cannot find a backend: ffi: Cannot fetch it; webgpu: no GPU was found",
  );
});

Deno.test("loadFirst() passes on an error that is no backend's", async () => {
  const error = new TypeError("a fault of the program");
  assertStrictEquals(await loadOn({ ffi: { error }, webgpu: {} }).catch((caught) => caught), error);
});

Deno.test("a model takes a backend that is being loaded, leaves it to its owner, and fails as its loading does", async () => {
  const folder = new URL("../../assets/model/", import.meta.url);
  const loading = loadBackend("reference");
  await using backend = await loading;
  for (let i = 0; i < 2; i++) {
    await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: loading });
    assertStrictEquals(model.backend, backend);
  }
  const failing = Promise.reject(new BackendError("Cannot load the webgpu backend: no adapter", "webgpu"));
  failing.catch(() => {});
  const failed = VisionEncoderDecoderModel.fromPretrained(folder, { backend: failing });
  await assertRejects(() => failed, BackendError, "no adapter");
});
