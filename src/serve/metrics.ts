// What is counted, in Prometheus' text format (version 0.0.4). Names begin with limner_.

/** The upper bounds of a histogram's classes, in seconds. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
}

const families = {
  limner_requests_total: { kind: "counter", help: "Requests that were answered, by route and status." },
  limner_requests_in_flight: { kind: "gauge", help: "Requests that are under way." },
  limner_queue_length: { kind: "gauge", help: "Pictures that wait for a slot." },
  limner_slots: { kind: "gauge", help: "Texts that can be written at once." },
  limner_slots_in_use: { kind: "gauge", help: "Texts that are being written." },
  limner_handles: { kind: "gauge", help: "Buffers, bindings and programs that are alive on the device." },
  limner_tokens_total: { kind: "counter", help: "Tokens that were written." },
  limner_steps_total: { kind: "counter", help: "Steps that the slots took together." },
  limner_rejected_total: { kind: "counter", help: "Pictures that were refused because too many waited." },
  limner_aborted_total: {
    kind: "counter",
    help: "Texts that were given up: their client had gone, or their time was over.",
  },
  limner_request_seconds: { kind: "histogram", help: "Time of a request, by route." },
  limner_part_seconds: {
    kind: "histogram",
    help: "Time of the parts of a text: read (the picture), queue (waiting), encode, decode.",
  },
} as const satisfies Record<string, Family>;

/** The name of something that is counted. */
export type MetricName = keyof typeof families;

interface Histogram {
  readonly counts: number[];
  sum: number;
  count: number;
}

/** Counts what a server does. */
export class Metrics {
  readonly #values = new Map<MetricName, Map<string, number>>();
  readonly #histograms = new Map<MetricName, Map<string, Histogram>>();
  readonly #gauges = new Map<MetricName, () => number>();

  /** Count one more, or `by` more. */
  add(name: MetricName, labels: Labels = {}, by = 1): void {
    const series = this.#values.getOrInsertComputed(name, () => new Map());
    const key = labelsOf(labels);
    series.set(key, (series.get(key) ?? 0) + by);
  }

  /** Note how long something took, in milliseconds. */
  observe(name: MetricName, labels: Labels, milliseconds: number): void {
    const series = this.#histograms.getOrInsertComputed(name, () => new Map());
    const make = () => ({ counts: bounds.map(() => 0), sum: 0, count: 0 });
    const histogram = series.getOrInsertComputed(labelsOf(labels), make);
    const seconds = milliseconds / 1000;
    histogram.sum += seconds;
    histogram.count++;
    bounds.forEach((bound, i) => {
      if (seconds <= bound) histogram.counts[i]++;
    });
  }

  /** Ask for a value whenever the text is made. */
  watch(name: MetricName, read: () => number): void {
    this.#gauges.set(name, read);
  }

  /** The value of a counter, over all its labels. */
  total(name: MetricName): number {
    return [...this.#values.get(name)?.values() ?? []].reduce((sum, value) => sum + value, 0);
  }

  /** All of it as text. */
  text(): string {
    const lines: string[] = [];
    for (const [name, { kind, help }] of Object.entries(families) as [MetricName, Family][]) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, ...this.#lines(name, kind));
    }
    return `${lines.join("\n")}\n`;
  }

  #lines(name: MetricName, kind: Family["kind"]): string[] {
    const gauge = this.#gauges.get(name);
    if (gauge) return [`${name} ${gauge()}`];
    if (kind !== "histogram") {
      const series = [...this.#values.get(name) ?? []];
      return series.length > 0 ? series.map(([key, value]) => `${name}${braced(key)} ${value}`) : [`${name} 0`];
    }
    return [...this.#histograms.get(name) ?? []].flatMap(([key, { counts, sum, count }]) => [
      ...bounds.map((bound, i) => `${name}_bucket${braced(key, `le="${bound}"`)} ${counts[i]}`),
      `${name}_bucket${braced(key, 'le="+Inf"')} ${count}`,
      `${name}_sum${braced(key)} ${sum}`,
      `${name}_count${braced(key)} ${count}`,
    ]);
  }
}

function labelsOf(labels: Labels): string {
  return Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(",");
}

function braced(...parts: string[]): string {
  const inner = parts.filter((part) => part !== "").join(",");
  return inner === "" ? "" : `{${inner}}`;
}
