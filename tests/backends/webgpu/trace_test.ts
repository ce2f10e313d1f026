import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type SystemFiles, whyNone } from "../../../backends/webgpu/device/missing_driver.ts";
import { kernelTimes } from "../../../backends/webgpu/device/trace_files.ts";
import { load } from "../../../backends/webgpu/mod.ts";
import { Captioner } from "../../../mod.ts";
import { drawTimeline } from "../../../tools/gpu/timeline.ts";

Deno.test("webgpu writes its kernels and its dispatches with times where it is asked to", async () => {
  const folder = await Deno.makeTempDir();
  try {
    let dispatches: number;
    {
      await using backend = await load({ debugFolder: folder });
      await using captioner = await Captioner.load(undefined, { backend });
      assertEquals(await captioner.caption(new URL("../../../assets/examples/date.png", import.meta.url)), "2/8/2021");
      dispatches = backend.counters.dispatches;
    }
    const lines = (await Deno.readTextFile(`${folder}/dispatches.jsonl`)).trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    assertEquals(lines.length, dispatches);
    for (const { kernel, begin, end, workgroups } of lines) {
      assert(end >= begin, `${kernel} takes from ${begin} to ${end}`);
      assertEquals(workgroups.length, 3);
    }
    const linear = lines.find(({ kernel }) => kernel.includes("linear") || kernel.includes("matvec"));
    assertStringIncludes(await Deno.readTextFile(`${folder}/${linear.kernel}`), "@compute");
    assert(linear.bytes > 0);
    assert(lines.some(({ operations }) => operations > 0));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("kernelTimes() adds up kernels, and drawTimeline() has a bar for each dispatch", () => {
  const dispatch = { label: "a<b", code: "x", workgroups: [1, 1, 1], bytes: 8, operations: 4, begin: 0, end: 2 };
  const all = [dispatch, { ...dispatch, begin: 3, end: 7 }, {
    ...dispatch,
    label: "c",
    operations: undefined,
    end: 10,
  }];
  const kernels = kernelTimes(all);
  assertEquals(kernels, [
    { label: "c", count: 1, microseconds: 10, bytes: 8, operations: undefined },
    { label: "a<b", count: 2, microseconds: 6, bytes: 16, operations: 8 },
  ]);
  const svg = drawTimeline(all, kernels, "a title");
  assertEquals(svg.match(/<title>/g)?.length, 3);
  assertStringIncludes(svg, "a&lt;b: 2 times, 0.01 ms");
});

Deno.test("whyNone() says which part of the driver is missing", async () => {
  const files = (paths: readonly string[]): SystemFiles => ({
    system: "linux",
    exists: (path) => Promise.resolve(paths.includes(path)),
    list: (folder) =>
      Promise.resolve(
        paths.filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1)),
      ),
  });
  assertStringIncludes(await whyNone(files([])), "libvulkan.so.1");
  const loader = "/usr/lib/x86_64-linux-gnu/libvulkan.so.1";
  assertStringIncludes(await whyNone(files([loader])), "no driver: none of /usr/share/vulkan/icd.d");
  assertStringIncludes(await whyNone(files([loader, "/dev/nvidia0"])), "NVIDIA_DRIVER_CAPABILITIES");
  const all = [loader, "/usr/share/vulkan/icd.d/lvp_icd.json"];
  assertStringIncludes(await whyNone(files(all)), "no GPU was found");
  const unknown = { ...files([]), exists: () => Promise.resolve(undefined) };
  assertStringIncludes(await whyNone(unknown), "no GPU was found");
  assertStringIncludes(await whyNone({ ...files([]), system: "browser" }), "the browser");
});
