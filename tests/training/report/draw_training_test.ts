import { assert, assertEquals } from "@std/assert";
import { linearAxis, logarithmicAxis } from "../../../src/training/report/axis.ts";
import { drawTraining } from "../../../src/training/report/draw_training.ts";
import type { LogEntry } from "../../../src/training/report/training_log.ts";

const run = (steps: number, every: number): LogEntry[] =>
  Array.from({ length: steps }, (_, i): LogEntry[] => {
    const step = i + 1, epoch = step / 10, seconds = 1;
    const loss = 3 * Math.exp(-step / (steps / 4)) + 0.05 + 0.02 * Math.sin(i);
    const rates = { characterErrorRate: loss / 5, wordErrorRate: loss / 3, exactMatch: 0 };
    return [
      { step, epoch, loss, learningRate: 1e-3, gradNorm: 1, seconds },
      ...step % every === 0 ? [{ step, epoch, seconds, evaluation: { loss: loss * 1.2, ...rates } }] : [],
    ];
  }).flat();

/** The points of every line that is drawn, by its colour. */
function linesOf(svg: string, colour: string): [number, number][][] {
  const paths = [...svg.matchAll(/<path d="M([^"]*)" fill="none" stroke="([^"]*)"/g)];
  return paths.filter((path) => path[2] === colour).map(([, points]) =>
    points.split("L").map((point) => point.split(" ").map(Number) as [number, number])
  );
}

Deno.test("drawTraining() draws losses and error rates, each point inside its plot", () => {
  const svg = drawTraining(run(100, 20));
  assert(svg.startsWith("<svg xmlns=") && svg.endsWith("</svg>\n"));
  const [steps] = linesOf(svg, "#4878a8");
  assertEquals(steps.length, 100);
  assertEquals(linesOf(svg, "#c8501e").map((points) => points.length), [5, 5]);
  assertEquals([...svg.matchAll(/<circle /g)].length, 15);
  for (const colour of ["#4878a8", "#1f4e79", "#c8501e", "#7a4fa3"]) {
    for (const [x, y] of linesOf(svg, colour).flat()) assert(x >= 62 && x <= 836 && y >= 44 && y <= 260, `${x} ${y}`);
  }
  assert(steps[0][0] < steps[99][0] && steps[0][1] < steps[99][1], "the loss goes down, to the right");
  assertEquals((svg.match(/<(?!\/|\?|!)[a-z]+/g) ?? []).length, (svg.match(/<\/[a-z]+>|\/>/g) ?? []).length);
});

Deno.test("drawTraining() thins out long runs, leaves out what is no number, and draws nothing of nothing", () => {
  assertEquals(linesOf(drawTraining(run(5000, 5001)), "#4878a8")[0].length, 556);
  const broken = run(20, 21).map((entry, i) => i === 5 ? { ...entry, loss: null } : entry) as unknown as LogEntry[];
  const svg = drawTraining(broken);
  assertEquals(linesOf(svg, "#4878a8")[0].length, 19);
  assert(!/NaN|Infinity/.test(svg + drawTraining([]) + drawTraining(run(1, 2))));
});

Deno.test("axes begin and end with round numbers around all values", () => {
  const linear = linearAxis([0.13, 0.72], [100, 0]);
  assertEquals(linear.ticks, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]);
  assert(Math.abs(linear.place(0.1) - 100) < 1e-9 && Math.abs(linear.place(0.8)) < 1e-9);
  assertEquals(linearAxis([0, 3], [0, 1], true).ticks, [0, 1, 2, 3]);
  assertEquals(linearAxis([5], [0, 1]).ticks.length > 1, true);
  const logarithmic = logarithmicAxis([0.03, 4], [0, 100]);
  assertEquals(logarithmic.ticks, [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]);
  assertEquals([logarithmic.place(0.02), Math.round(logarithmic.place(5))], [0, 100]);
  for (const [least, most] of [[1e-6, 3], [0.9, 1.1], [2, 2000], [1, 10]]) {
    const { ticks } = logarithmicAxis([least, most], [0, 1]);
    assert(ticks.length >= 2 && ticks[0] <= least && ticks.at(-1)! >= most, `${least} ${most}: ${ticks}`);
  }
});
