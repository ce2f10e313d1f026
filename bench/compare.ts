// Whether the figures of this checkout are worse than another revision's: `deno run -A bench/compare.ts REVISION
// [--rounds 9] [BACKEND...]`. The revision is checked out beside, and both are measured in turns by figures.ts as it is here,
// which knows nothing but the public interface. A difference counts where the medians lie further apart than the middle half
// of the values of either side spreads.
import type { Figure } from "./figures.ts";

const root = new URL("../", import.meta.url).pathname;

/** The middle of some values, and the width of their middle half. */
export interface Summary {
  readonly median: number;
  readonly spread: number;
}

/** The median and the spread of values, of which there is at least one. */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => {
    const place = part * (sorted.length - 1);
    const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
    return below + (above - below) * (place % 1);
  };
  return { median: at(0.5), spread: at(0.75) - at(0.25) };
}

/** What a difference amounts to; less is better. */
export function verdict(before: Summary, now: Summary): "better" | "worse" | "within the spread" {
  const difference = now.median - before.median;
  if (Math.abs(difference) <= Math.max(before.spread, now.spread)) return "within the spread";
  return difference < 0 ? "better" : "worse";
}

async function git(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("git", { args, cwd: root, stdout: "null" }).output();
  if (!success) throw new Error(`Cannot run git ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}

/** One round of figures of a checkout. */
async function measure(checkout: string, backends: readonly string[]): Promise<Figure[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", "bench/figures.ts", ...backends],
    cwd: checkout,
    stdin: "null",
  }).output();
  if (!success) throw new Error(`Cannot measure ${checkout}: ${new TextDecoder().decode(stderr).trim()}`);
  return new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
}

/** Measure two checkouts in turns, each first as often as the other. @returns The values by figure, of each. */
async function inTurns(checkouts: readonly string[], rounds: number, backends: readonly string[]) {
  const values = new Map<string, { unit: string; sides: number[][] }>();
  for (let round = 0; round < rounds; round++) {
    const order = checkouts.map((checkout, side) => ({ checkout, side }));
    for (const { checkout, side } of round % 2 === 0 ? order : order.toReversed()) {
      for (const { name, unit, value } of await measure(checkout, backends)) {
        const figure = values.get(name) ?? { unit, sides: checkouts.map(() => []) };
        values.set(name, figure);
        figure.sides[side].push(value);
      }
    }
    console.error(`round ${round + 1} of ${rounds}`);
  }
  return values;
}

function print(revision: string, values: Awaited<ReturnType<typeof inTurns>>): void {
  const cell = ({ median, spread }: Summary, unit: string) =>
    `${median.toPrecision(4)} ± ${spread.toPrecision(2)} ${unit}`.padStart(24);
  console.log(`${"figure".padEnd(24)}${revision.slice(0, 20).padStart(24)}${"here".padStart(24)}   ratio`);
  for (const [name, { unit, sides }] of values) {
    const [before, now] = sides.map(summarize);
    const ratio = (now.median / before.median).toFixed(3).padStart(8);
    console.log(`${name.padEnd(24)}${cell(before, unit)}${cell(now, unit)}${ratio}  ${verdict(before, now)}`);
  }
}

async function compare(revision: string, rounds: number, backends: readonly string[]): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "limner_compare_" });
  const other = `${folder}/checkout`;
  try {
    await git("worktree", "add", "--detach", other, revision);
    await Deno.copyFile(`${root}bench/figures.ts`, `${other}/bench/figures.ts`);
    print(revision, await inTurns([other, root], rounds, backends));
  } finally {
    await git("worktree", "remove", "--force", other).catch((error) => console.error(error.message));
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const at = Deno.args.indexOf("--rounds");
  const rounds = at < 0 ? 9 : Number(Deno.args[at + 1]);
  const [revision, ...backends] = at < 0 ? Deno.args : Deno.args.toSpliced(at, 2);
  if (revision === undefined || !(rounds >= 3)) {
    console.error(
      "Cannot compare: expected deno run -A bench/compare.ts REVISION [--rounds 9] [BACKEND...], of 3 rounds at least",
    );
    Deno.exit(2);
  }
  await compare(revision, rounds, backends);
}
