// A device's dispatches as a drawing: time from left to right, a bar for each dispatch, a colour for each kernel.
import type { KernelTime } from "../../backends/webgpu/device/trace_files.ts";
import type { TimedDispatch } from "../../backends/webgpu/device/trace.ts";

const [width, left, lineHeight, barHeight] = [1200, 20, 16, 40];

/** Colours that are told apart, the first for the kernel that takes longest. */
const colours = [
  "#3b6fb6",
  "#d1702f",
  "#4a9a5b",
  "#b5434b",
  "#7d62a8",
  "#8a6a4f",
  "#c76aa5",
  "#6f6f6f",
  "#a8a03a",
  "#3fa3ad",
];

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** Draw dispatches that have times, with the kernels of `kernelTimes` as the legend. */
export function drawTimeline(
  dispatches: readonly TimedDispatch[],
  kernels: readonly KernelTime[],
  title: string,
): string {
  const timed = dispatches.filter(({ begin, end }) => begin !== undefined && end !== undefined);
  const end = Math.max(...timed.map((dispatch) => dispatch.end!));
  const begin = Math.min(...timed.map((dispatch) => dispatch.begin!));
  const place = (time: number) => left + (time - begin) / (end - begin || 1) * (width - 2 * left);
  const colourOf = new Map(kernels.map(({ label }, i) => [label, colours[i % colours.length]]));
  const bars = timed.map(({ label, workgroups, begin, end }) => {
    const [from, to] = [place(begin!), place(end!)];
    const what = `${label}, ${workgroups.join(" × ")} workgroups, ${(end! - begin!).toFixed(1)} µs`;
    return `<rect x="${from.toFixed(2)}" y="30" width="${
      Math.max(0.2, to - from).toFixed(2)
    }" height="${barHeight}" fill="${colourOf.get(label)}"><title>${escaped(what)}</title></rect>`;
  });
  const shown = kernels.slice(0, 24);
  const legend = shown.map(({ label, count, microseconds }, i) => {
    const y = 30 + barHeight + 20 + i * lineHeight;
    return `<rect x="${left}" y="${y - 10}" width="10" height="10" fill="${colourOf.get(label)}"/>` +
      `<text x="${left + 16}" y="${y}">${
        escaped(`${label}: ${count} times, ${(microseconds / 1000).toFixed(2)} ms`)
      }</text>`;
  });
  const height = 30 + barHeight + 30 + shown.length * lineHeight;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="white"/>
<text x="${left}" y="18">${escaped(`${title}: ${((end - begin) / 1000).toFixed(2)} ms`)}</text>
${bars.join("\n")}
${legend.join("\n")}
</svg>
`;
}
