// A training as a drawing (SVG): the loss of its steps and evaluations, and below it the error rates of the evaluations.
import { type Axis, linearAxis, logarithmicAxis } from "./axis.ts";
import type { EvaluationEntry, LogEntry, StepEntry } from "./training_log.ts";

/** A line of a plot. */
interface Series {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly Point[];
  /** Whether its points are marked. */
  readonly marked?: boolean;
  /** From 0 to 1. @default 1 */
  readonly opacity?: number;
}

type Point = readonly [x: number, y: number];

/** One of the plots, which are drawn one below the other. */
interface Panel {
  readonly title: string;
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  /** Whether equal ratios are equally high, where the values allow it. */
  readonly ratios: boolean;
}

const width = 860, panelHeight = 300;
const margin = { left: 62, right: 24, top: 44, bottom: 40 };
const colours = { step: "#4878a8", mean: "#1f4e79", evaluation: "#c8501e", words: "#7a4fa3" };

/** The most points of a line; longer ones are drawn by the means of stretches. */
const mostPoints = 600;

/** From which ratio of the largest and the least value on equal ratios are drawn equally high. */
const wideRatio = 8;

/** The part of the old mean in the smoothed loss of a run of so many steps. */
const smoothing = (steps: number): number => 1 - 1 / Math.min(50, Math.max(2, steps / 20));

/**
 * Draw a training.
 *
 * @param entries The lines of its log; without any the plots are empty.
 * @returns A whole SVG document, which names no font or file.
 */
export function drawTraining(entries: readonly LogEntry[]): string {
  const steps = entries.filter((entry): entry is StepEntry => "loss" in entry && Number.isFinite(entry.loss));
  const evaluations = entries.filter((entry): entry is EvaluationEntry => "evaluation" in entry);
  const panels = [lossPanel(steps, evaluations)];
  if (evaluations.length > 0) panels.push(errorPanel(evaluations));
  const xs = entries.map(({ step }) => step);
  const height = panels.length * panelHeight;
  const drawn = panels.map((panel, i) =>
    `<g transform="translate(0 ${i * panelHeight})">${drawPanel(panel, xs.length > 0 ? xs : [0, 1])}</g>\n`
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `font-family="sans-serif" font-size="12" fill="#333">\n<rect width="${width}" height="${height}" fill="#fff"/>\n` +
    `${drawn.join("")}</svg>\n`;
}

function lossPanel(steps: readonly StepEntry[], evaluations: readonly EvaluationEntry[]): Panel {
  const points = steps.map(({ step, loss }): Point => [step, loss]);
  const series: Series[] = [
    { name: "each step", colour: colours.step, points: thinned(points), opacity: 0.45 },
    { name: "smoothed", colour: colours.mean, points: thinned(smoothed(points)) },
  ];
  if (evaluations.length > 0) {
    const found = evaluations.map(({ step, evaluation: { loss } }): Point => [step, loss]);
    series.push({ name: "evaluation", colour: colours.evaluation, points: finite(found), marked: true });
  }
  return { title: "loss", series, format: (value) => `${Number(value.toPrecision(6))}`, ratios: true };
}

function errorPanel(evaluations: readonly EvaluationEntry[]): Panel {
  const of = (measure: "characterErrorRate" | "wordErrorRate") =>
    finite(evaluations.map(({ step, evaluation }): Point => [step, evaluation[measure] * 100]));
  return {
    title: "errors in the evaluation's texts",
    series: [
      { name: "characters", colour: colours.evaluation, points: of("characterErrorRate"), marked: true },
      { name: "words", colour: colours.words, points: of("wordErrorRate"), marked: true },
    ],
    format: (value) => `${Number(value.toPrecision(6))} %`,
    ratios: false,
  };
}

function drawPanel({ title, series, format, ratios }: Panel, xs: readonly number[]): string {
  const values = series.flatMap(({ points }) => points.map(([, y]) => y));
  const [least, most] = values.reduce(([a, b], y) => [Math.min(a, y), Math.max(b, y)], [Infinity, -Infinity]);
  const vertical = [panelHeight - margin.bottom, margin.top] as const;
  const y = ratios && least > 0 && most / least > wideRatio
    ? logarithmicAxis(values, vertical)
    : linearAxis([0, ...values.length > 0 ? values : [1]], vertical);
  const x = linearAxis([0, ...xs], [margin.left, width - margin.right], true);
  return drawGrid(x, y, format) +
    `<text x="${margin.left}" y="24" font-size="15" font-weight="bold">${title}</text>` +
    drawLegend(series) + series.map((one) => drawSeries(one, x, y)).join("");
}

function drawGrid(x: Axis, y: Axis, format: (value: number) => string): string {
  const [left, right] = [margin.left, width - margin.right];
  const [top, bottom] = [margin.top, panelHeight - margin.bottom];
  const rows = y.ticks.map((tick) => {
    const at = pixels(y.place(tick));
    return `<path d="M${left} ${at}H${right}" stroke="#ddd"/>` +
      `<text x="${left - 8}" y="${at}" text-anchor="end" dominant-baseline="middle">${format(tick)}</text>`;
  });
  const columns = x.ticks.map((tick) => {
    const at = pixels(x.place(tick));
    return `<path d="M${at} ${bottom}v5" stroke="#333"/>` +
      `<text x="${at}" y="${bottom + 18}" text-anchor="middle">${tick}</text>`;
  });
  return `${rows.join("")}${columns.join("")}<path d="M${left} ${top}V${bottom}H${right}" fill="none" stroke="#333"/>` +
    `<text x="${right}" y="${bottom + 34}" text-anchor="end">step</text>`;
}

/** The lines' names, right to left from the plot's right edge. */
function drawLegend(series: readonly Series[]): string {
  let right = width - margin.right;
  return series.toReversed().map(({ name, colour, opacity = 1 }) => {
    const at = right;
    right -= name.length * 7.5 + 46;
    return `<text x="${at}" y="24" text-anchor="end">${name}</text>` +
      `<path d="M${at - name.length * 7.5 - 26} 20h20" stroke="${colour}" stroke-width="2.5" opacity="${opacity}"/>`;
  }).join("");
}

function drawSeries({ colour, points, marked, opacity = 1 }: Series, x: Axis, y: Axis): string {
  const places = points.map(([step, value]) => `${pixels(x.place(step))} ${pixels(y.place(value))}`);
  const line = places.length > 0
    ? `<path d="M${
      places.join("L")
    }" fill="none" stroke="${colour}" stroke-width="1.5" stroke-linejoin="round" opacity="${opacity}"/>`
    : "";
  if (!marked) return line;
  const dots = points.map(([step, value]) =>
    `<circle cx="${pixels(x.place(step))}" cy="${pixels(y.place(value))}" r="3" fill="${colour}"/>`
  );
  return line + dots.join("");
}

function pixels(value: number): string {
  return `${Math.round(value * 100) / 100}`;
}

function finite(points: readonly Point[]): Point[] {
  return points.filter(([, y]) => Number.isFinite(y));
}

/** A moving mean, which begins with the first value. */
function smoothed(points: readonly Point[]): Point[] {
  const keep = smoothing(points.length);
  let [sum, weight] = [0, 0];
  return points.map(([x, y]) => {
    [sum, weight] = [keep * sum + (1 - keep) * y, keep * weight + (1 - keep)];
    return [x, sum / weight];
  });
}

/** Points by the means of stretches, if there are more than are drawn. */
function thinned(points: readonly Point[]): readonly Point[] {
  const each = Math.ceil(points.length / mostPoints);
  if (each <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / each) }, (_, i): Point => {
    const stretch = points.slice(i * each, (i + 1) * each);
    const mean = (axis: 0 | 1) => stretch.reduce((sum, point) => sum + point[axis], 0) / stretch.length;
    return [mean(0), mean(1)];
  });
}
