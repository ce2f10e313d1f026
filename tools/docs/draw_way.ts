// Draws the way from a picture to its text, as docs/way.svg: `deno task draw`; with `--check` it fails where the drawing is
// not what stands here.
import { Graphviz } from "npm:@hpcc-js/wasm-graphviz@1.29.2";

const drawing = new URL("../../docs/way.svg", import.meta.url);

const graph = `digraph {
  graph [rankdir=TB, nodesep=0.5, ranksep=0.4, bgcolor="white", fontname="Helvetica,Arial,sans-serif", fontsize=12]
  node [shape=box, style="rounded,filled", fillcolor="#e8f0fa", color="#8aa4c8", fontname="Helvetica,Arial,sans-serif", fontsize=12, margin="0.4,0.1"]
  edge [color="#7a869a", arrowsize=0.7, fontname="Helvetica,Arial,sans-serif", fontsize=10, fontcolor="#4d5969"]
  picture [label="a picture", shape=plain, style=""]
  text [label="its text", shape=plain, style=""]
  read [label="read, turned upright"]
  processor [label="resized, cut, scaled\\nas the model's processor says"]
  subgraph cluster_device {
    label="on the device: three programs, compiled once"
    style="rounded,filled"
    color="#d9b97a"
    fillcolor="#fdf6e8"
    encoder [label="encoder"]
    cross [label="keys and values\\nof the picture"]
    decoder [label="decoder, a step a token"]
    cache [label="cache of\\nearlier tokens", shape=cylinder]
    decide [label="next token:\\nbest, drawn, or beams"]
  }
  tokenizer [label="tokenizer"]
  picture -> read -> processor
  processor -> encoder [label="[batch, channels,\\nheight, width]"]
  encoder -> cross [label="[batch, patches,\\nwidth]"]
  cross -> decoder
  cache -> decoder [dir=both]
  decoder -> decide [label="scores"]
  decide -> decoder [label="token"]
  decide -> tokenizer [label="ids"]
  tokenizer -> text
}`;

const svg = (await Graphviz.load()).dot(graph);
if (!Deno.args.includes("--check")) await Deno.writeTextFile(drawing, svg);
else if (await Deno.readTextFile(drawing).catch(() => "") !== svg) {
  console.error("docs/way.svg is not what tools/docs/draw_way.ts draws: run `deno task draw`");
  Deno.exit(1);
}
