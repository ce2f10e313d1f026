// Several backends in one process, in a worker, and under a collector that runs all the time.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { load as loadFfi } from "../../backends/ffi/mod.ts";
import { load as loadWebGpu } from "../../backends/webgpu/mod.ts";
import { OrtError } from "../../src/errors/mod.ts";
import { type Backend, type Graph, GraphBuilder } from "../../src/graph/mod.ts";
import { gather, linear, mul } from "../../src/operators/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import { deno } from "../cli/command_process.ts";
import { memorySource } from "../conformance/execute.ts";

function doubling(): Graph {
  const builder = new GraphBuilder("doubling");
  builder.output("y", mul(builder.input("x", "float32", [2]), builder.scalar(2)));
  return builder.build();
}

/** Double pairs of numbers one after another. @returns Whether each result was right. */
async function doublePairs(backend: Backend, own: number): Promise<boolean> {
  using weights = await backend.open(memorySource());
  using program = await backend.compile(doubling(), weights);
  using x = backend.allocate("float32", [2]);
  using y = backend.allocate("float32", [2]);
  using run = program.bind({ x, y });
  using stream = backend.stream();
  for (let i = 0; i < 20; i++) {
    stream.write(x, Float32Array.of(i, own));
    stream.enqueue(run);
    if ((await stream.read(y)).data.join() !== `${2 * i},${2 * own}`) return false;
  }
  return true;
}

Deno.test("two backends of each kind work in one process at once", async () => {
  const backends = await Promise.all([loadFfi(), loadWebGpu(), loadFfi({ threads: 1 }), loadWebGpu()]);
  assertEquals(await Promise.all(backends.map(doublePairs)), [true, true, true, true]);
  for (const backend of backends) {
    assertEquals(backend.counters.liveHandles, 0);
    await backend[Symbol.asyncDispose]();
  }
});

/**
 * Wait until the threads of workers have ended, on Linux. The Vulkan loader unloads its drivers in them, which crashes a process that
 * is ending at the same time.
 */
async function workersEnded(): Promise<void> {
  if (Deno.build.os !== "linux") return;
  const isWorker = ({ name }: Deno.DirEntry) => {
    try {
      return Deno.readTextFileSync(`/proc/self/task/${name}/comm`).startsWith("worker-");
    } catch {
      return false; // it has ended meanwhile
    }
  };
  while ([...Deno.readDirSync("/proc/self/task")].some(isWorker)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("backends work in a worker, and again in the next one", async () => {
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const script = `import { Captioner } from ${url("../../mod.ts")};
    for (const backend of ["ffi", "webgpu"]) {
      await using captioner = await Captioner.load(undefined, { backend });
      self.postMessage(await captioner.caption(new URL(${url("../../assets/examples/date.png")})));
    }`;
  for (let i = 0; i < 2; i++) {
    const worker = new Worker(`data:application/javascript,${encodeURIComponent(script)}`, { type: "module" });
    const texts: string[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    worker.onerror = (event) => reject(new Error(event.message));
    worker.onmessage = ({ data }) => {
      if (texts.push(data) === 2) resolve();
    };
    await promise;
    worker.terminate();
    assertEquals(texts, ["2/8/2021", "2/8/2021"]);
    await workersEnded();
  }
});

Deno.test("nothing that a run needs is collected while it runs", async () => {
  const script = `import { GraphBuilder } from "./src/graph/mod.ts";
    import { mul } from "./src/operators/mod.ts";
    for (const name of ["ffi", "webgpu"]) {
      const backend = await (await import("./backends/" + name + "/mod.ts")).load();
      const builder = new GraphBuilder("doubling");
      builder.output("y", mul(builder.input("x", "float32", [1024]), builder.scalar(2)));
      const weights = await backend.open(new Map());
      const program = await backend.compile(builder.build(), weights);
      const stream = backend.stream();
      let right = 0;
      for (let i = 0; i < 50; i++) {
        const [x, y] = [0, 1].map(() => backend.allocate("float32", [1024]));
        const run = program.bind({ x, y });
        stream.write(x, new Float32Array(1024).fill(i));
        stream.enqueue(run);
        gc();
        const reading = stream.read(y);
        gc();
        if ((await reading).data.every((value) => value === 2 * i)) right++;
        for (const each of [run, x, y]) each[Symbol.dispose]();
      }
      console.log(name, right);
    }`;
  const root = new URL("../..", import.meta.url).href;
  const source = script.replaceAll('"./', `"${root}`);
  const ended = await deno(["--v8-flags=--expose-gc", `data:application/javascript,${encodeURIComponent(source)}`]);
  assertEquals([ended.code, ended.stdout], [0, "ffi 50\nwebgpu 50\n"]);
});

Deno.test("ffi releases the status of every error", async () => {
  await using backend = await loadFfi();
  using stream = backend.stream();
  const { api } = (backend as unknown as { runtime: { api: Record<string, (status: Deno.PointerValue) => void> } })
    .runtime;
  const release = api.releaseStatus;
  let released = 0;
  api.releaseStatus = (status) => {
    released++;
    release(status);
  };
  const builder = new GraphBuilder("lookup");
  const table = builder.input("table", "float32", [3, 2]);
  builder.output("y", gather(table, builder.input("ids", "int64", [1]), { axis: 0 }));
  using weights = await backend.open(memorySource());
  using program = await backend.compile(builder.build(), weights);
  using rows = backend.allocate("float32", [3, 2]);
  using ids = backend.allocate("int64", [1]);
  using y = backend.allocate("float32", [1, 2]);
  stream.write(ids, BigInt64Array.of(7n));
  using run = program.bind({ table: rows, ids, y });
  for (let i = 0; i < 100; i++) {
    stream.enqueue(run);
    await assertRejects(() => stream.read(y), OrtError, "idx=7");
  }
  assertEquals(released, 100);
});

Deno.test("webgpu keeps one copy of weights that two programs read", async () => {
  const width = 4096;
  const bytes = 4 * width * width;
  await using backend = await loadWebGpu();
  using stream = backend.stream();
  const weight = new Tensor("float32", [width, width], new Float32Array(width * width).fill(1 / width));
  using weights = await backend.open(memorySource({ weight }));
  const use = async (name: string, rows: number): Promise<Disposable> => {
    using stack = new DisposableStack();
    const builder = new GraphBuilder(name);
    builder.output(
      "y",
      linear(builder.input("x", "float32", [rows, width]), builder.parameter("weight", weight.shape)),
    );
    const program = stack.use(await backend.compile(builder.build(), weights));
    const [x, y] = [0, 1].map(() => stack.use(backend.allocate("float32", [rows, width])));
    stream.write(x, new Float32Array(rows * width).fill(1));
    stream.enqueue(stack.use(program.bind({ x, y })));
    const { data } = await stream.read(y);
    assert(data.every((value) => Math.abs(Number(value) - 1) < 1e-3));
    return stack.move();
  };
  using _one = await use("step", 1);
  const { deviceBytes } = backend.counters;
  assert(deviceBytes >= bytes && deviceBytes < 1.1 * bytes, `${deviceBytes} bytes for one program`);
  using _two = await use("prompt", 9);
  const grown = backend.counters.deviceBytes - deviceBytes;
  assert(grown > 0 && grown < 0.1 * bytes, `the second program took ${grown} bytes more, the weights have ${bytes}`);
  assert(backend.counters.weightBytes < 1.01 * bytes, `${backend.counters.weightBytes} bytes of weights are held`);
});
