// Several kernels as one, for processors, where a dispatch costs more than small kernels compute: waking threads takes 20 to 40 µs.
// Think of one workgroup as doing the work of all workgroups of each kernel in turn, with a barrier after each kernel. Kernels
// become functions; a storage that several of them access is bound once, with one type.
import { elementBytes, type Resolve } from "../../program/view.ts";
import { type Dispatch, dispatchOf, type KernelBinding, type KernelSource, withAccesses } from "../shader.ts";
import { isConverted, SequenceBindings, type SequenceLimits } from "./sequence_bindings.ts";

/** The invocations of a sequence: a subgroup. */
export const sequenceLanes = 8;

/** A kernel that can be one of a sequence. */
export type SequencePart = Dispatch & { readonly source: KernelSource };

/** Whether a kernel can be one of a sequence. */
export function canBeInSequence(dispatch: Dispatch): dispatch is SequencePart {
  const { source, repeat } = dispatch;
  if (!source || repeat || source.usesSubgroups) return false;
  return (source.isApart ? source.lanes % sequenceLanes === 0 : source.lanes === sequenceLanes) &&
    source.bindings.every(({ storage, texels, type }) =>
      storage.kind !== "window" && (texels || isConverted(type) && elementBytes(storage) === 4)
    );
}

const groupsOf = ({ workgroups }: Dispatch, resolve: Resolve): number => workgroups(resolve).reduce((a, b) => a * b);

/** The turns of a kernel's lanes, as many at a time as a sequence has: each takes about as long as another, 60 to 160 ns. */
export function turnsOf(part: SequencePart, resolve: Resolve): number {
  const { iterations, source: { lanes } } = part;
  return groupsOf(part, resolve) * Math.ceil(lanes / sequenceLanes) * Math.max(1, iterations?.(resolve) ?? 0);
}

const bindingsOf = (parts: readonly SequencePart[]): KernelBinding[] => parts.flatMap(({ source }) => source.bindings);

/** Whether the kernels of a sequence bind no more than a device can. */
export function fitsBindings(parts: readonly SequencePart[], limits: SequenceLimits): boolean {
  return new SequenceBindings(bindingsOf(parts)).fits(limits);
}

/** What is declared beside an entry point: functions and workgroup variables. */
const declared = /\bfn (\w+)|\bvar<workgroup> (\w+)/g;

/** A kernel's declarations and body, with names and parameters of its own. @param first Its first vector of parameters. */
function textOf({ source }: SequencePart, bindings: SequenceBindings, part: number, first: number): string {
  const { declarations, body } = source;
  const text = `${declarations.join("\n")}\nfn kernel(group: u32, lane: u32) {\n  ${body}\n}`;
  const names = [...text.matchAll(declared)].map(([, fn, variable]) => fn ?? variable);
  const renamed = text
    .replaceAll(new RegExp(`\\b(${names.join("|")})\\b`, "g"), `$1_${part}`)
    .replaceAll(/\bparameters\[(\d+)\]/g, (_, at) => `parameters[${Number(at) + first}]`)
    .replaceAll(/\bbuffer(\d+)\b/g, (_, at) => `buffer${bindings.indexOf(source.bindings[at - 1]) + 1}`);
  return withAccesses(renamed, (i) => bindings.elementsOf(source.bindings[i]));
}

/** A kernel that does what several do, one after the other. */
export function sequenceKernel(parts: readonly SequencePart[]): Dispatch {
  const bindings = new SequenceBindings(bindingsOf(parts));
  const parameters: Dispatch["parameters"][number][] = [];
  const declarations: string[] = [];
  const calls = parts.map((part, i) => {
    declarations.push(textOf(part, bindings, i, parameters.length / 4));
    parameters.push(...part.parameters, (resolve) => groupsOf(part, resolve));
    const count = parameters.length - 1;
    while (parameters.length % 4 !== 0) parameters.push(0);
    const { lanes, isApart } = part.source;
    // The next turn writes the workgroup memory that lanes may still read.
    const call = isApart
      ? `for (var own = lane; own < ${lanes}u; own += ${sequenceLanes}u) { kernel_${i}(at, own); }`
      : `kernel_${i}(at, lane); workgroupBarrier();`;
    // A bound that Mesa's driver does not see through: see texel_tile.ts.
    const end = `parameters[${count >> 2}].${"xyzw"[count & 3]} + (group >> 31u)`;
    return `for (var at = group; at < ${end}; at++) { ${call} }`;
  });
  const source: KernelSource = {
    bindings: bindings.all,
    declarations,
    body: calls.join("\n  storageBarrier(); workgroupBarrier();\n  "),
    lanes: sequenceLanes,
    isApart: false,
    usesSubgroups: false,
  };
  const sum = (of: (part: SequencePart) => number) => parts.reduce((total, part) => total + of(part), 0);
  return dispatchOf(source, {
    label: parts.map(({ label }) => label).join(", "),
    parameters,
    groups: () => 1,
    iterations: (resolve) => sum((part) => turnsOf(part, resolve)),
    operations: parts.every(({ operations }) => operations)
      ? (resolve) => sum(({ operations }) => operations!(resolve))
      : undefined,
  });
}
