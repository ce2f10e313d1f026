// The devices of the ffi backend: the CPU, and those that ONNX Runtime reaches by its execution providers. A device is asked for by
// name and never chosen silently; it runs, or fails with what is missing.
import { BackendError, type OrtError } from "../../../src/errors/mod.ts";
import type { OptionalOperator } from "../../onnx/mod.ts";
import { cString, type Runtime } from "../runtime.ts";

/** Where tensors of a device lie. */
export interface DeviceMemoryKind {
  /** ONNX Runtime's name of it (allocator.h). */
  readonly name: "Cpu" | "Cuda" | "WebGPU_Buffer";
  /** The device's number. */
  readonly id: number;
  /** Whether addresses can be counted on from: a buffer of WebGPU is a handle. */
  readonly hasAddresses: boolean;
}

/** A device that sessions run on. */
export interface Device {
  /** As a person asks for it. */
  readonly name: string;
  /** Undefined for the CPU, whose tensors JavaScript sees. */
  readonly memory?: DeviceMemoryKind;
  /** The provider as GetAvailableProviders has it. */
  readonly provider: string;
  /** Operators that it has no float32 kernel for, though the library has them. */
  readonly lacks?: readonly OptionalOperator[];
  /** Add its provider to session options. @throws {OrtError} */
  append?(library: Runtime, options: Deno.PointerObject): void;
}

/** The CPU. */
export const cpu: Device = { name: "cpu", provider: "CPUExecutionProvider" };

/** The CPU, reached as a device is: its tensors are copied to and from by sessions alone. Tests take it. */
export const boundCpu: Device = {
  name: "cpu, bound",
  provider: cpu.provider,
  memory: { name: "Cpu", id: 0, hasAddresses: true },
};

/** WebGPU's way of having no addresses, on the CPU. Tests take it. */
export const boundCpuByHandles: Device = { ...boundCpu, memory: { ...boundCpu.memory!, hasAddresses: false } };

/**
 * The device of a name.
 *
 * @throws {BackendError} If there is none.
 */
export function deviceOf(name = "cpu"): Device {
  if (name === "cpu") return cpu;
  if (name === "webgpu") {
    return {
      name,
      provider: "WebGpuExecutionProvider",
      memory: { name: "WebGPU_Buffer", id: 0, hasAddresses: false },
      append: appendWebGpu,
    };
  }
  const [, id] = /^cuda(?::(\d{1,3}))?$/.exec(name) ?? [undefined, null];
  if (id === null) {
    throw new BackendError(
      `Cannot load the ffi backend: device is "${name}", expected cpu, cuda, cuda:1 (or another number) or webgpu`,
      "ffi",
    );
  }
  const number = Number(id ?? 0);
  return {
    name,
    provider: "CUDAExecutionProvider",
    memory: { name: "Cuda", id: number, hasAddresses: true },
    lacks: ["GroupQueryAttention"], // its kernels are of float16 and bfloat16
    append: (library, options) => appendCuda(library, options, number),
  };
}

/** The devices that a library has a provider for, of those that can be asked for. */
export function devicesOf(providers: readonly string[]): string[] {
  return ["cpu", "cuda", "webgpu"].filter((name) => providers.includes(deviceOf(name).provider));
}

/** Texts as an array of pointers, and what keeps them alive. */
function textArray(texts: readonly string[]): { pointers: BigUint64Array<ArrayBuffer>; held: Uint8Array[] } {
  const held = texts.map(cString);
  const pointers = held.map((text) => BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(text))));
  return { pointers: BigUint64Array.from(pointers), held };
}

function appendCuda(library: Runtime, options: Deno.PointerObject, device: number): void {
  const { api } = library;
  const cuda = library.create("CreateCUDAProviderOptions", (out) => api.createCudaProviderOptions(out));
  try {
    // TF32 has 10 bits of a float32's 23.
    const settings = { device_id: `${device}`, use_tf32: "0" };
    const [keys, values] = [textArray(Object.keys(settings)), textArray(Object.values(settings))];
    const count = BigInt(keys.held.length);
    const status = api.updateCudaProviderOptions(cuda, keys.pointers, values.pointers, count);
    library.check(status, `set up cuda:${device} (${values.held.length} options)`);
    library.check(api.appendCuda(options, cuda), `add the CUDA provider for device ${device}`);
  } finally {
    api.releaseCudaProviderOptions(cuda);
  }
}

function appendWebGpu(library: Runtime, options: Deno.PointerObject): void {
  library.check(library.api.appendProvider(options, cString("WebGPU"), null, null, 0n), "add the WebGPU provider");
}

/** What brings a library with a provider. */
const sources: Readonly<Record<string, string>> = {
  CUDAExecutionProvider: "PyPI's onnxruntime-gpu (its folder onnxruntime/capi) or NuGet's Microsoft.ML.OnnxRuntime.Gpu",
  WebGpuExecutionProvider: "npm's onnxruntime-node for linux-x64, or PyPI's onnxruntime-webgpu",
};

/** @throws {BackendError} If a library has no provider for a device. */
export function checkProvider(device: Device, library: Runtime): void {
  const providers = library.availableProviders();
  if (providers.includes(device.provider)) return;
  throw new BackendError(
    `Cannot load the ffi backend: ${library.libraryPath} (ONNX Runtime ${library.version}) has no provider for the ` +
      `device "${device.name}", only ${providers.join(", ")}; give libraryPath the libonnxruntime of ` +
      `${sources[device.provider]}`,
    "ffi",
  );
}

/** Libraries that providers need, by how their file's name begins. */
const needed: readonly (readonly [name: RegExp, what: (version: string) => string])[] = [
  [
    /^libonnxruntime_providers_/,
    () => `it comes with ${sources.CUDAExecutionProvider}, and must lie beside libonnxruntime`,
  ],
  [/^libcudnn/, (version) => `it is a part of cuDNN ${version}`],
  [/^libcuda\./, () => "it is NVIDIA's driver's"],
  [
    /^lib(?:cudart|cublas|cublasLt|cufft|curand|nvrtc|cusparse|cusolver)\b/,
    (version) => `it is a part of CUDA ${version}`,
  ],
  [/^libvulkan/, () => "it is Vulkan's loader"],
];

/**
 * Why a device could not be set up, in words that say what to do.
 *
 * @param error What ONNX Runtime said.
 */
export function deviceError(device: Device, library: Runtime, error: OrtError): BackendError {
  const said = error.message.replace(/^Cannot .*?: ONNX Runtime says: /s, "").trim();
  const missing = /([\w.+-]+\.(?:so|dll|dylib)[\d.]*): cannot open shared object file/.exec(said)?.[1];
  const version = missing && /\.so\.([\d.]+)$/.exec(missing)?.[1];
  const what = missing && needed.find(([name]) => name.test(missing))?.[1](version ?? "of that version");
  const advice = missing
    ? `${missing} is not found${what ? `: ${what}` : ""}; `
    : /adapter/i.test(said)
    ? "the system has no GPU driver that it takes (Vulkan, Metal or Direct3D 12; one in software will not do); "
    : "";
  return new BackendError(
    `Cannot load the ffi backend on the device "${device.name}": ${advice}${library.libraryPath} (ONNX Runtime ` +
      `${library.version}) says: ${said}`,
    "ffi",
    { cause: error },
  );
}
