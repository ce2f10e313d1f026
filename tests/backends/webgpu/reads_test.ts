// Reads that do not wait for the promise of a map, where this version of Deno is known for it: they are right, they do not end the
// process, and they let others have their turn.
import { assert, assertEquals } from "@std/assert";
import { load } from "../../../backends/webgpu/mod.ts";
import { mapsAtOnce, ReadbackBuffers } from "../../../backends/webgpu/device/readback_buffers.ts";
import { GraphBuilder } from "../../../src/graph/mod.ts";
import { add } from "../../../src/operators/mod.ts";
import { memorySource } from "../../conformance/execute.ts";

/** Numbers that were written to a device and read back, more than one read at a time. */
async function readBack(gpu: GPUDevice, buffers: ReadbackBuffers): Promise<number[]> {
  const { COPY_SRC, COPY_DST } = GPUBufferUsage;
  const source = gpu.createBuffer({ size: 4096, usage: COPY_SRC | COPY_DST });
  const found: Promise<number>[] = [];
  for (let i = 0; i < 30; i++) {
    gpu.queue.writeBuffer(source, 0, new Uint32Array(1024).fill(i));
    const staging = buffers.take(4096);
    const encoder = gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, staging, 0, 4096);
    gpu.queue.submit([encoder.finish()]);
    const mapped = buffers.map(staging, 4096);
    found.push((async () => {
      if (!buffers.isAtOnce) await mapped;
      const last = new Uint32Array(staging.getMappedRange(0, 4096))[1023];
      mapped.then(() => buffers.give(staging));
      return last;
    })());
    if (i % 3 === 2) await found.at(-1);
  }
  return await Promise.all(found);
}

if (import.meta.main) {
  const gpu = await (await navigator.gpu.requestAdapter())!.requestDevice();
  const found = await readBack(gpu, new ReadbackBuffers(gpu, true));
  console.log(found.join());
  Deno.exit(0);
}

Deno.test("webgpu: reads of this version of Deno are looked at before their promise, if it is one that was tried", async () => {
  // In a process of its own, which may end.
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", import.meta.url],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await child.output();
  const found = new TextDecoder().decode(stdout).trim();
  const works = code === 0 && found === Array.from({ length: 30 }, (_, i) => i).join();
  const { deno } = Deno.version;
  if (mapsAtOnce(deno)) assert(works, `Deno ${deno} was tried, and gives ${found} ${new TextDecoder().decode(stderr)}`);
  else console.log(`Deno ${deno} waits for each read; it ${works ? "need" : "must"} not be otherwise`);
});

Deno.test("webgpu: reads that wait for their promise give the same", async () => {
  const gpu = await (await navigator.gpu.requestAdapter())!.requestDevice();
  try {
    assertEquals(await readBack(gpu, new ReadbackBuffers(gpu, false)), Array.from({ length: 30 }, (_, i) => i));
  } finally {
    gpu.destroy();
  }
  assertEquals([undefined, "2.9", "3.0.0"].map(mapsAtOnce), [false, false, false]);
});

Deno.test("webgpu: reads one after another let timers and requests go on", async () => {
  await using backend = await load();
  const builder = new GraphBuilder("twice");
  const x = builder.input("x", "float32", [8]);
  builder.output("y", add(x, x));
  using weights = await backend.open(memorySource());
  using program = await backend.compile(builder.build(), weights);
  using input = backend.allocate("float32", [8]);
  using output = backend.allocate("float32", [8]);
  using run = program.bind({ x: input, y: output });
  using stream = backend.stream();
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => new Response("here"));
  let [ticks, answer] = [0, ""];
  const timer = setInterval(() => ticks++, 5);
  const asked = fetch(`http://127.0.0.1:${server.addr.port}`).then(async (response) => answer = await response.text());
  // Half a second, and longer where others have the processor.
  const end = performance.now() + 10_000;
  while ((ticks < 10 || answer === "") && performance.now() < end) {
    stream.enqueue(run);
    await stream.read(output);
  }
  clearInterval(timer);
  assertEquals(answer, "here");
  assert(ticks >= 10, `a timer of 5 ms went off ${ticks} times in ten seconds`);
  await asked;
});
