// Kernels as pipelines, each compiled once: equal code has equal bindings, since their access is part of the code.
import { takeTurn } from "../../../src/async/delay.ts";
import { WebGpuError } from "../../../src/errors/mod.ts";
import type { Dispatch } from "../kernels/shader.ts";

/** A compiled kernel. */
export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** A kernel's code after the directives that it needs. @param subgroups What kernels that use subgroups begin with. */
function enabled(code: string, subgroups: string): string {
  return `${code.includes("f16>") ? "enable f16;\n" : ""}${code.includes("subgroup") ? subgroups : ""}${code}`;
}

/** A device's kernels. */
export class Pipelines {
  readonly #compiled = new Map<string, Promise<Pipeline>>();

  /**
   * @param enabling What kernels that use subgroups begin with.
   * @param check Throws where the device is lost.
   */
  constructor(readonly gpu: GPUDevice, readonly enabling: string, readonly check: () => void) {}

  /** Compile a kernel, once. */
  compile(dispatch: Dispatch): Promise<Pipeline> {
    const { code } = dispatch;
    let pipeline = this.#compiled.get(code);
    if (!pipeline) {
      pipeline = this.#compile(dispatch);
      pipeline.catch(() => this.#compiled.delete(code));
      this.#compiled.set(code, pipeline);
    }
    return pipeline;
  }

  async #compile({ label, code, writes, texels }: Dispatch): Promise<Pipeline> {
    this.check();
    // Caught here, so that no later read reports it.
    this.gpu.pushErrorScope("validation");
    const module = this.gpu.createShaderModule({
      label,
      code: enabled(code, this.enabling),
    });
    await this.gpu.popErrorScope();
    const problems = (await module.getCompilationInfo()).messages.filter(({ type }) => type === "error");
    if (problems.length > 0) {
      await this.#checkLost();
      const lines = problems.map(({ lineNum, message }) => `line ${lineNum}: ${message}`).join("; ");
      throw new WebGpuError(`Cannot compile the kernel ${label}: ${lines}`);
    }
    const layout = this.gpu.createBindGroupLayout({
      label,
      entries: [
        { binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform", hasDynamicOffset: true } },
        ...writes.map((writable, i) => ({
          binding: i + 1,
          visibility: GPUShaderStage.COMPUTE,
          ...(texels[i]
            ? { storageTexture: { access: "read-only", format: texels[i] } as GPUStorageTextureBindingLayout }
            : { buffer: { type: writable ? "storage" : "read-only-storage" } as GPUBufferBindingLayout }),
        })),
      ],
    });
    try {
      const pipeline = await this.gpu.createComputePipelineAsync({
        label,
        layout: this.gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: "main" },
      });
      return { pipeline, layout };
    } catch (error) {
      await this.#checkLost();
      throw new WebGpuError(`Cannot compile the kernel ${label}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Where the device is lost no kernel compiles: that is said a turn after it is known. */
  async #checkLost(): Promise<void> {
    await takeTurn();
    this.check();
  }
}
