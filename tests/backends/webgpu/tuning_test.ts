import { assert, assertEquals } from "@std/assert";
import { findAdapter, openDevice } from "../../../backends/webgpu/device/adapter.ts";
import { profiles } from "../../../backends/webgpu/device/profile.ts";
import {
  matmulCandidates,
  matvecCandidates,
  texelMatmulCandidates,
  texelMatvecCandidates,
} from "../../../backends/webgpu/tuning/candidates.ts";
import { tuned } from "../../../backends/webgpu/tuning/tune.ts";
import { TuningFile } from "../../../backends/webgpu/tuning/tuning_file.ts";
import { WebGpuBackend } from "../../../backends/webgpu/backend.ts";
import { GraphBuilder } from "../../../src/graph/mod.ts";
import { linear, matmul, transpose } from "../../../src/operators/mod.ts";
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
    const slow = { candidate: 3, microseconds: 1e9, tried: 6 };
    await file.write(name, { matvec: [slow, slow], matmul: [slow] });
    const again = await tuned(device, profiles.gpu, options);
    assertEquals(again.gpu!.matvec.map(({ lanes }) => lanes), [256, 256]);
    assertEquals(again.gpu!.matmul[0].tile, [32, 64]);
    const fast = { candidate: 3, microseconds: 1e-3, tried: 6 };
    await file.write(name, { matvec: [fast, fast], matmul: [fast] });
    await tuned(device, profiles.gpu, options);
    assert((await file.read(name))!.matvec[0].microseconds > 1e-3);

    // A file of something else, and numbers of no candidate, count for nothing.
    const stray = { candidate: 99, microseconds: 1e9, tried: 6 };
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

Deno.test("a processor's shapes are tried a few at each load, and the usual ones stay where none is better", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { device } = await openDevice((await findAdapter())!, profiles.soft);
    const file = new TuningFile(`${folder}/tuning.json`);
    const options = { key: "a processor", file, classes };
    const name = "a processor; soft";
    // Without time nothing is tried, and without a file, where each load would try again, nothing either.
    assertEquals(await tuned(device, profiles.soft, { ...options, milliseconds: 0 }), profiles.soft);
    assertEquals(await tuned(device, profiles.soft, { key: "x", classes, milliseconds: 60_000 }), profiles.soft);
    assertEquals(await file.read(name), undefined);

    // The kernel that is begun is tried to its end: one a load.
    const tried: number[][] = [];
    const all = [texelMatvecCandidates.length, texelMatmulCandidates.length];
    for (let load = 0; load < 12 && tried.at(-1)?.join() !== all.join(); load++) {
      await tuned(device, profiles.soft, { ...options, milliseconds: 1 });
      const found = (await file.read(name))!;
      tried.push([found.matvec, found.matmul].map((family) => family[0]?.tried ?? 0));
    }
    assertEquals(tried[0], [1, 0]);
    assertEquals(tried.at(-1), all);
    const { texels } = await tuned(device, profiles.soft, options);
    assertEquals(texels!.matvec.map(({ leastOutputs }) => leastOutputs), [80, undefined]);
    assertEquals(device.counters.dispatches, 0);

    // What was found on a processor, whose adapter's name tells its compiler, is not timed again.
    const best = { candidate: 1, microseconds: 1e-3, tried: 9 };
    await file.write(name, { matvec: [best, best], matmul: [best] });
    const again = await tuned(device, profiles.soft, options);
    assertEquals(again.texels, {
      matvec: [{ ...texelMatvecCandidates[1], leastOutputs: 80 }, texelMatvecCandidates[1]],
      matmul: texelMatmulCandidates[1],
    });
    assertEquals((await file.read(name))!.matvec, [best, best]);
    assertEquals(await tuned(device, profiles["soft-nosg"], options), profiles["soft-nosg"]);
    assertEquals(device.counters.liveHandles, 0);
    device.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("webgpu multiplies by every candidate's kernel", async () => {
  const [gpu, texels] = [profiles.gpu.gpu!, profiles.soft.texels!];
  const cases = [
    ...matvecCandidates.map((matvec) => ({
      rows: [1],
      profile: { ...profiles.gpu, gpu: { ...gpu, matvec: [matvec] } },
    })),
    ...matmulCandidates.map((matmul) => (
      { rows: [70], profile: { ...profiles.gpu, gpu: { ...gpu, matmul: [matmul] } } }
    )),
    ...[{ vectors: 1 }, { vectors: 8 }, ...texelMatvecCandidates].map((matvec) => (
      { rows: [1, 2, 3], profile: { ...profiles.soft, texels: { ...texels, matvec: [matvec] } } }
    )),
    ...[{ rows: 4, vectors: 4, depth: 8 } as const, ...texelMatmulCandidates].map((matmul) => (
      { rows: [70], profile: { ...profiles.soft, texels: { ...texels, matmul } } }
    )),
  ];
  for (const { rows, profile } of cases) {
    const { device } = await openDevice((await findAdapter())!, profile);
    await using backend = new WebGpuBackend(device, profile, "test");
    for (const K of [70, 68]) {
      const parameters = { weight: numbers(1, 133, K) };
      const builder = new GraphBuilder("linear");
      const x = builder.input("x", "float32", ["M", K]);
      const product = linear(x, builder.parameter("weight", [133, K]));
      builder.output("y", product);
      // Products of two values, along either axis.
      const turned = transpose(product, { permutation: [1, 0] });
      builder.output("squares", matmul(product, turned));
      builder.output("turned", matmul(turned, product));
      const graph = builder.build();
      for (const M of rows) {
        const tensors = { x: numbers(2, M, K) };
        const found = await execute(backend, graph, tensors, { M }, parameters);
        const expected = evaluate(graph, { ...tensors, ...parameters }, { sizes: { M } });
        for (const [name, y] of Object.entries(found)) {
          const { matvec, matmul } = profile.gpu ?? profile.texels!;
          assertWithin(y, expected[name], 2e-4, `${name} of ${M} rows, ${JSON.stringify([matvec, matmul])}`);
        }
      }
    }
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
