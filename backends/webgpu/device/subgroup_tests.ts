// Whether a device's subgroups are as kernels expect. Devices differ in what they say of them, so they are tried.

/** What is put before a kernel that uses subgroups: some compilers want it, others refuse it. */
const enabling = ["", "enable subgroups;\n"] as const;

/** Each lane gets numbers that only subgroups in order give: of its subgroup's first lane, of its sixth, and how many there are. */
const broadcast = `@group(0) @binding(0) var<storage, read_write> results: array<u32>;
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) place: vec3u) {
  let own = lane + 8u * place.x + 100u;
  results[place.x * 8u + lane] = subgroupBroadcast(own, 0u) + 1000u * subgroupBroadcast(own, 5u) + 1000000u * subgroupAdd(1u);
}`;

const broadcastResults = Array.from({ length: 16 }, (_, i) => {
  const first = 100 + (i >> 3) * 8;
  return first + 1000 * (first + 5) + 8_000_000;
});

/** Whether lane l of `lanes` is lane l % size of a whole subgroup, and sums and maxima are those of its subgroup's lanes. */
function reductionTest(lanes: number): string {
  return `@group(0) @binding(0) var<storage, read_write> results: array<u32>;
@compute @workgroup_size(${lanes})
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) place: vec3u,
    @builtin(subgroup_size) size: u32, @builtin(subgroup_invocation_id) own: u32) {
  let width = min(size, ${lanes}u);
  let first = lane / width * width;
  let sum = width * first + width * (width - 1u) / 2u;
  let right = ${lanes}u % width == 0u && own == lane % size && subgroupAdd(lane) == sum &&
    subgroupMax(f32(lane)) == f32(first + width - 1u) && subgroupMin(lane) == first;
  results[place.x * ${lanes}u + lane] = select(0u, 1u, right);
}`;
}

/**
 * Whether a workgroup of 8 is one subgroup and its lanes are numbered as invocations.
 *
 * @returns What a kernel that uses subgroups begins with; undefined where it is not so.
 */
export function subgroupsOf8(gpu: GPUDevice): Promise<string | undefined> {
  return firstThatGives(gpu, [[broadcast, broadcastResults]]);
}

/**
 * Whether subgroups of workgroups of 64 to 256 lanes can reduce values.
 *
 * @returns What a kernel that uses subgroups begins with; undefined where they cannot.
 */
export function reducingSubgroups(gpu: GPUDevice): Promise<string | undefined> {
  return firstThatGives(gpu, [64, 128, 256].map((lanes) => [reductionTest(lanes), Array(2 * lanes).fill(1)] as const));
}

async function firstThatGives(
  gpu: GPUDevice,
  tests: readonly (readonly [code: string, results: readonly number[]])[],
): Promise<string | undefined> {
  for (const start of enabling) {
    let right = true;
    for (const [code, results] of tests) right &&= await gives(gpu, start + code, results);
    if (right) return start;
  }
  return undefined;
}

/** Whether two workgroups of a kernel write these numbers. */
async function gives(gpu: GPUDevice, code: string, expected: readonly number[]): Promise<boolean> {
  const bytes = 4 * expected.length;
  const usages = [GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST];
  const [results, staging] = usages.map((usage) => gpu.createBuffer({ size: bytes, usage }));
  try {
    gpu.pushErrorScope("validation");
    const module = gpu.createShaderModule({ code });
    if (await gpu.popErrorScope()) return false;
    gpu.pushErrorScope("validation");
    const pipeline = gpu.createComputePipeline({ layout: "auto", compute: { module } });
    const group = gpu.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [{ binding: 0, resource: { buffer: results } }],
    });
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(2);
    pass.end();
    encoder.copyBufferToBuffer(results, 0, staging, 0, bytes);
    gpu.queue.submit([encoder.finish()]);
    if (await gpu.popErrorScope()) return false;
    await staging.mapAsync(GPUMapMode.READ);
    const found = new Uint32Array(staging.getMappedRange().slice(0));
    return found.every((value, i) => value === expected[i]);
  } finally {
    for (const buffer of [results, staging]) buffer.destroy();
  }
}
