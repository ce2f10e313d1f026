import { assert, assertEquals } from "@std/assert";
import { findAdapter, openDevice } from "../../../backends/webgpu/device/adapter.ts";
import { profiles } from "../../../backends/webgpu/device/profile.ts";
import { matmulCandidates, matvecCandidates } from "../../../backends/webgpu/tuning/candidates.ts";
import { tuned } from "../../../backends/webgpu/tuning/tune.ts";
import { TuningFile } from "../../../backends/webgpu/tuning/tuning_file.ts";
import { WebGpuBackend } from "../../../backends/webgpu/backend.ts";
import { GraphBuilder } from "../../../src/graph/mod.ts";
import { linear } from "../../../src/operators/mod.ts";
import { assertWithin } from "../../conformance/closeness.ts";
import { execute } from "../../conformance/execute.ts";
import { evaluate } from "../../conformance/oracle.ts";
import { numbers } from "../../conformance/repeatable_numbers.ts";

/** Products that a processor computes soon. */
const classes = {
  matvec: [{ rows: 1, inputs: 64, outputs: 96, least: { leastOutputs: 80 } }, {
    rows: 1,
    inputs: 64,
    outputs: 64,
    least: {},
  }],
  matmul: [{ rows: 20, inputs: 64, outputs: 70, least: {} }],
};

Deno.test("webgpu tries shapes, remembers the best, and tries again where they have become slower", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { device } = await openDevice((await findAdapter())!, profiles.gpu);
    const file = new TuningFile(`${folder}/deep/tuning.json`);
    const options = { key: "a device", file, classes, milliseconds: 60_000 };
    const first = await tuned(device, profiles.gpu, options);
    const { matvec, matmul } = first.gpu!;
    assertEquals(matvec.map(({ leastOutputs }) => leastOutputs), [80, undefined]);
    const isCandidate = (shape: object, candidates: readonly object[]) =>
      candidates.some((candidate) =>
        Object.entries(candidate).every(([key, value]) => JSON.stringify(shape[key as never]) === JSON.stringify(value))
      );
    assert(matvec.every((shape) => isCandidate(shape, matvecCandidates)));
    assert(matmul.every((shape) => isCandidate(shape, matmulCandidates)));

    // What is remembered is used as long as it is not slower than it says.
    const name = "a device; gpu";
    const slow = { candidate: 3, microseconds: 1e9 };
    await file.write(name, { matvec: [slow, slow], matmul: [slow] });
    const again = await tuned(device, profiles.gpu, options);
    assertEquals(again.gpu!.matvec.map(({ lanes }) => lanes), [256, 256]);
    assertEquals(again.gpu!.matmul[0].tile, [32, 64]);
    const fast = { candidate: 3, microseconds: 1e-3 };
    await file.write(name, { matvec: [fast, fast], matmul: [fast] });
    await tuned(device, profiles.gpu, options);
    assert((await file.read(name))!.matvec[0].microseconds > 1e-3);

    // A file of something else, and numbers of no candidate, count for nothing.
    const stray = { candidate: 99, microseconds: 1e9 };
    await file.write(name, { matvec: [stray, stray], matmul: [stray] });
    assert((await tuned(device, profiles.gpu, options)).gpu!.matvec.length === 2);
    await Deno.writeTextFile(file.path, "[1, 2");
    assertEquals(await file.read(name), undefined);
    assertEquals([...Deno.readDirSync(`${folder}/deep`)].map((entry) => entry.name), ["tuning.json"]);
    // Where there is no time for any, the profile stays as it is.
    assertEquals(await tuned(device, profiles.gpu, { key: "another", classes, milliseconds: 0 }), profiles.gpu);
    assertEquals(device.counters.liveHandles, 0);
    device.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("webgpu multiplies by every candidate's kernel", async () => {
  const parameters = { weight: numbers(1, 133, 70) };
  const cases = [
    ...matvecCandidates.map((matvec) => ({ M: 1, shapes: { matvec: [matvec] } })),
    ...matmulCandidates.map((matmul) => ({ M: 70, shapes: { matmul: [matmul] } })),
  ];
  for (const { M, shapes } of cases) {
    const builder = new GraphBuilder("linear");
    const x = builder.input("x", "float32", [M, 70]);
    builder.output("y", linear(x, builder.parameter("weight", [133, 70])));
    const graph = builder.build();
    const { device } = await openDevice((await findAdapter())!, profiles.gpu);
    await using backend = new WebGpuBackend(
      device,
      { ...profiles.gpu, gpu: { ...profiles.gpu.gpu!, ...shapes } },
      "test",
    );
    const tensors = { x: numbers(2, M, 70) };
    const { y } = await execute(backend, graph, tensors, {}, parameters);
    assertWithin(y, evaluate(graph, { ...tensors, ...parameters }).y, 2e-4, `${M} rows, ${JSON.stringify(shapes)}`);
  }
});

Deno.test("what cannot be remembered leaves nothing behind", async () => {
  const folder = await Deno.makeTempDir();
  try {
    // A folder that is not empty cannot be replaced by a file.
    await Deno.mkdir(`${folder}/tuning.json/in`, { recursive: true });
    await new TuningFile(`${folder}/tuning.json`).write("a device", { matvec: [], matmul: [] });
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["tuning.json"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
