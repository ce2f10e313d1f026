// A row of the table: one figure beside its limit, or a peer's of the same run. Only ratios and counts are kept: times and rates
// of one machine say nothing on another.

/** A figure. */
export interface Row {
  /** What was measured. */
  readonly measure: string;
  /** What it is a part of, or is counted in. */
  readonly against: string;
  readonly value: number;
  /** What must be reached, as `<= 0.5` or `>= 2`; undefined where nothing is asked here. */
  readonly limit?: string;
  /** Whether it was. */
  readonly met?: boolean;
  /** What a reader must know. */
  readonly note?: string;
}

/**
 * Make a row.
 *
 * @param limit `<= 0.5`, `>= 2` or nothing.
 */
export function row(measure: string, against: string, value: number, limit?: string, note?: string): Row {
  const [sign, bound] = limit?.split(" ") ?? [];
  const rounded = Number(value.toPrecision(3));
  const met = limit === undefined ? undefined : sign === "<=" ? rounded <= Number(bound) : rounded >= Number(bound);
  return { measure, against, value: rounded, limit, met, note };
}

/** The rows as a table for a terminal. */
export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ measure, against, value, limit = "", met, note = "" }) => [
    measure,
    `${value}`,
    against,
    limit,
    met === undefined ? "" : met ? "met" : "missed",
    note,
  ]);
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...cells.map((line) => line[column].length)));
  return cells.map((line) => line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ").trimEnd()).join("\n");
}

const [lineHeight, barWidth, left, top] = [22, 260, 470, 34];

/** The largest multiple of its limit that a bar shows. */
const most = 2;

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** The rows that have limits as bars, 1 being the limit: shorter than the line is better. */
export function drawingOf(rows: readonly Row[]): string {
  const drawn = rows.filter(({ limit, value }) => limit !== undefined && value > 0);
  const lines = drawn.map(({ measure, against, value, limit, met }, i) => {
    const bound = Number(limit!.split(" ")[1]);
    const part = Math.min(most, limit!.startsWith(">=") ? bound / value : value / bound);
    const y = top + i * lineHeight;
    const label = escaped(`${measure}, ${against}`);
    return `<text x="${left - 10}" y="${y + 14}" text-anchor="end">${label}</text>` +
      `<rect x="${left}" y="${y + 3}" width="${(part * barWidth / most).toFixed(1)}" height="14" rx="3" ` +
      `fill="${met ? "#3b7a57" : "#b5532c"}"/>` +
      `<text x="${left + barWidth + 10}" y="${y + 14}">${escaped(`${value} (${limit})`)}</text>`;
  });
  const [width, height] = [left + barWidth + 120, top + drawn.length * lineHeight + 10];
  const x = left + barWidth / most;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    `font-family="system-ui, sans-serif" font-size="12" fill="#333">\n` +
    `<rect width="${width}" height="${height}" fill="#fff"/>\n` +
    `<text x="${x}" y="18" text-anchor="middle">limit</text>\n${lines.join("\n")}\n` +
    `<line x1="${x}" x2="${x}" y1="24" y2="${height - 8}" stroke="#333" stroke-dasharray="3 3"/>\n</svg>\n`;
}
