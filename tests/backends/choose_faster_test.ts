// What "auto" does where both a processor and a GPU are there; the GPU is one in software that is said to be a real one.
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { chooseFaster } from "../../backends/choose_faster.ts";
import { describeSpeeds, Speeds } from "../../backends/measured/speeds.ts";
import { measureRates } from "../../backends/measured/measure_rates.ts";
import type { Rates } from "../../backends/measured/rates.ts";
import * as webgpu from "../../backends/webgpu/mod.ts";
import * as reference from "../../backends/reference/mod.ts";
import { BackendError } from "../../src/errors/mod.ts";
import type { Backend, BackendModule, BackendReport, ModelWork } from "../../src/graph/mod.ts";

const work: ModelWork = { pictureOperations: 1e11, pictureProducts: 100, tokenBytes: 1e9, tokenProducts: 100 };
const slow: Rates = {
  bytesPerSecond: 1e10,
  operationsPerSecond: 1e11,
  secondsPerProduct: 1e-6,
  secondsPerRead: 0,
  stepsPerRead: 1,
};
const quick: Rates = { ...slow, bytesPerSecond: 1e12, operationsPerSecond: 1e13 };
const fast: Rates = { ...quick, secondsPerRead: 0.01, stepsPerRead: 8 };

/** A backend that only notes whether it was released. */
function fake(name: "ffi" | "webgpu", device: string) {
  const state = { released: 0 };
  const backend = {
    ...{ name, device, stepsPerRead: 1 },
    [Symbol.asyncDispose]: () => Promise.resolve(void state.released++),
  } as unknown as Backend;
  return { backend, state };
}

/** Choose between made-up devices. */
async function chosen(
  { cpu = slow, gpu = fast, report = {}, load, small = false, path, work: own = () => Promise.resolve(work) }: {
    readonly cpu?: Rates;
    readonly gpu?: Rates;
    readonly report?: Partial<BackendReport>;
    readonly load?: () => Promise<Backend>;
    readonly small?: boolean;
    readonly path?: string;
    readonly work?: () => Promise<ModelWork>;
  },
) {
  const [processor, graphics] = [fake("ffi", "CPU"), fake("webgpu", "a GPU")];
  const asked: string[] = [];
  const speeds = new Speeds(path, ({ name }) => {
    asked.push(`measure ${name}`);
    return Promise.resolve(name === "ffi" ? cpu : gpu);
  });
  const module = {
    report: () => {
      asked.push("report");
      return Promise.resolve({ name: "webgpu", available: true, device: "a GPU", reason: "", ...report });
    },
    load: load ?? (() => {
      asked.push("load");
      return Promise.resolve(graphics.backend);
    }),
  } as BackendModule;
  let reason = "";
  const options = {
    work: small ? () => Promise.resolve({ ...work, pictureOperations: 1e6, tokenBytes: 1e6 }) : own,
    onChoice: (why: string) => reason = why,
  };
  const taken = await chooseFaster(processor.backend, options, { module: () => Promise.resolve(module), speeds });
  return { name: taken.name, reason, asked, released: [processor.state.released, graphics.state.released] };
}

Deno.test("chooseFaster() takes a GPU where it is estimated to be faster, and releases the other", async () => {
  const gpu = await chosen({});
  assertEquals([gpu.name, ...gpu.released], ["webgpu", 1, 0]);
  assertEquals(gpu.asked, ["report", "measure ffi", "load", "measure webgpu"]);
  assertEquals(
    gpu.reason,
    "webgpu, as a picture with a text of 16 tokens takes about 48 ms there, and about 2600 ms on ffi (CPU)",
  );
  const cpu = await chosen({ cpu: quick, gpu: slow });
  assertEquals([cpu.name, ...cpu.released], ["ffi", 0, 1]);
});

Deno.test("chooseFaster() measures no GPU in software, none that is not there, and none for a small model", async () => {
  const software = await chosen({ report: { software: true } });
  assertEquals([software.name, software.asked, software.reason], [
    "ffi",
    ["report"],
    "ffi, as the GPU is one in software (a GPU)",
  ]);
  const none = await chosen({ report: { available: false, reason: "no driver" } });
  assertEquals([none.name, none.asked, none.reason], ["ffi", ["report"], "ffi, as there is no GPU: no driver"]);
  const small = await chosen({ small: true });
  assertEquals([small.name, small.asked, small.released], ["ffi", ["report", "measure ffi"], [0, 0]]);
});

Deno.test("chooseFaster() stays on the processor where measuring fails, and says why", async () => {
  for (
    const load of [
      () => Promise.reject(new BackendError("Cannot open a GPU: it is in use", "webgpu")),
      () => Promise.reject(new TypeError("it is in use")),
    ]
  ) {
    const { name, reason, released } = await chosen({ load });
    assertEquals([name, released], ["ffi", [0, 0]]);
    assertMatch(reason, /^ffi, as the speed of a GPU cannot be measured: .*it is in use$/);
  }
});

Deno.test("chooseFaster() loads no GPU that is known to be slower, and does not look for one that a small model needs not", async () => {
  const path = `${await Deno.makeTempDir()}/deep/speeds.json`;
  try {
    const first = await chosen({ cpu: quick, gpu: slow, path });
    assertEquals(first.asked, ["report", "measure ffi", "load", "measure webgpu"]);
    const second = await chosen({ path });
    assertEquals([second.name, second.asked, second.reason], ["ffi", ["report"], first.reason]);
    const small = await chosen({ path, small: true });
    assertEquals([small.name, small.asked], ["ffi", []]);
    assertMatch(small.reason, /less time there than a GPU is waited for/);
    const reports = await describeSpeeds(
      [{ name: "webgpu", available: true, device: "a GPU", reason: "" }, {
        name: "wasm",
        available: true,
        device: "",
        reason: "",
      }],
      work,
      new Speeds(path),
    );
    assertEquals(reports.map(({ speed }) => speed), [
      "a picture with a text of 16 tokens takes about 2600 ms for the model",
      undefined,
    ]);
  } finally {
    await Deno.remove(path.replace("/deep/speeds.json", ""), { recursive: true });
  }
});

Deno.test("chooseFaster() leaves nothing where the model cannot be read", async () => {
  const { backend, state } = fake("ffi", "CPU");
  const work = () => Promise.reject(new Error("no config.json"));
  const module = () => Promise.reject(new Error("not needed"));
  await assertRejects(() => chooseFaster(backend, { work }, { module, speeds: new Speeds() }), Error, "no config.json");
  assertEquals(state.released, 1);
});

Deno.test("a GPU's speed is measured when it is first chosen by, and then read from its file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/limner/speeds.json`;
    let measured = 0;
    const choose = async () => {
      const speeds = new Speeds(path, (backend) => {
        measured++;
        // The oracle would take minutes.
        return backend.name === "webgpu" ? measureRates(backend) : Promise.resolve(slow);
      });
      let reason = "";
      const module: BackendModule = {
        ...webgpu,
        report: async () => ({ ...await webgpu.report(), software: false }),
        load: () => webgpu.load(),
      };
      await using backend = await chooseFaster(
        await reference.load(),
        { work: () => Promise.resolve(work), onChoice: (why) => reason = why },
        { module: () => Promise.resolve(module), speeds },
      );
      return { name: backend.name, reason };
    };
    const [first, second] = [await choose(), await choose()];
    assertEquals(second, first);
    assertEquals(measured, 2);
    const { device } = await webgpu.report();
    const rates = (await new Speeds(path).known({ name: "webgpu", device }))!;
    assert(rates.bytesPerSecond > 1e7 && rates.bytesPerSecond < 1e13, `${rates.bytesPerSecond} bytes a second`);
    assert(rates.operationsPerSecond > 1e8 && rates.operationsPerSecond < 1e15);
    assert([4, 8].includes(rates.stepsPerRead));
    assertEquals([...Deno.readDirSync(`${folder}/limner`)].map(({ name }) => name), ["speeds.json"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("measuring leaves nothing on a device", async () => {
  await using backend = await webgpu.load();
  const { liveHandles, weightBytes } = backend.counters;
  await measureRates(backend);
  assertEquals([backend.counters.liveHandles, backend.counters.weightBytes], [liveHandles, weightBytes]);
});
