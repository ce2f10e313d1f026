// Draws the house: which room of the project imports which, read from the sources, as docs/rooms.svg.
// `deno task draw`; with `--check` it fails where the drawing is not what the sources say.
import { Graphviz } from "npm:@hpcc-js/wasm-graphviz@1.29.2";
import { importsOf, partOf, resolveImport, rooms } from "../tests/architecture.ts";
import { projectSources } from "../tests/project_sources.ts";

const drawing = new URL("../docs/rooms.svg", import.meta.url);

/** The rooms that each room imports, by what stands in the sources. */
function edgesOf(sources: ReadonlyMap<string, string>): Map<string, Set<string>> {
  const edges = new Map<string, Set<string>>();
  for (const [file, source] of sources) {
    const from = partOf(file);
    const targets = edges.get(from) ?? new Set();
    for (const { specifier } of importsOf(source)) {
      const to = specifier.startsWith(".") ? partOf(resolveImport(file, specifier)) : from;
      if (to !== from && to in rooms) targets.add(to);
    }
    edges.set(from, targets);
  }
  return edges;
}

/** Whether there is a way from one room to another through a third. */
function isIndirect(edges: ReadonlyMap<string, Set<string>>, from: string, to: string): boolean {
  const reaches = (room: string): boolean => room === to || [...edges.get(room) ?? []].some(reaches);
  return [...edges.get(from)!].some((next) => next !== to && reaches(next));
}

/** The rooms and the arrows that no others imply, in Graphviz's language. */
function describe(edges: ReadonlyMap<string, Set<string>>): string {
  const lines = [...edges.keys()].sort().map((room) =>
    `"${room}" [label=<<b>${room.replace("src/", "")}</b><br/><font point-size="10">${rooms[room].holds}</font>>` +
    `${room.startsWith("backends") ? ', fillcolor="#fdf1dc"' : ""}]`
  );
  for (const [from, targets] of [...edges].sort()) {
    for (const to of [...targets].sort()) if (!isIndirect(edges, from, to)) lines.push(`"${from}" -> "${to}"`);
  }
  return `digraph {
  graph [rankdir=TB, nodesep=0.25, ranksep=0.45, bgcolor="white"]
  node [shape=box, style="rounded,filled", fillcolor="#e8f0fa", color="#8aa4c8", fontname="Helvetica,Arial,sans-serif", fontsize=12, margin="0.28,0.08"]
  edge [color="#7a869a", arrowsize=0.7]
  ${lines.join("\n  ")}
}`;
}

const graphviz = await Graphviz.load();
const svg = graphviz.dot(describe(edgesOf(await projectSources())));
if (!Deno.args.includes("--check")) await Deno.writeTextFile(drawing, svg);
else if (await Deno.readTextFile(drawing).catch(() => "") !== svg) {
  console.error("docs/rooms.svg is not what the sources say: run `deno task draw`");
  Deno.exit(1);
}
