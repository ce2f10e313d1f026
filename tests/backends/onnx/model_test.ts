import { assertEquals, assertThrows } from "@std/assert";
import { type ParameterLocation, supportsNode, toOnnx } from "../../../backends/onnx/mod.ts";
import { Message } from "../../../backends/onnx/protobuf.ts";
import { ShapeError } from "../../../src/errors/mod.ts";
import { GraphBuilder } from "../../../src/graph/mod.ts";
import { add, assign, attention, cacheAppend, gather, linear, reshape, slice } from "../../../src/operators/mod.ts";

const hex = (bytes: Uint8Array): string => bytes.toHex();

Deno.test("messages are written as protocol buffers are", () => {
  assertEquals(hex(new Message().integer(1, 150).finish()), "089601");
  assertEquals(hex(new Message().integer(1, -1).finish()), "08ffffffffffffffffff01");
  assertEquals(hex(new Message().bytes(2, "testing").finish()), "120774657374696e67");
  assertEquals(hex(new Message().bytes(3, new Message().integer(1, 150)).finish()), "1a03089601");
  assertEquals(hex(new Message().float(5, 1).finish()), "2d0000803f");
  assertEquals(hex(new Message().integer(16, 0).finish()), "800100");
});

/** The operators of a ModelProto, found by their names in its bytes. */
function mentions(bytes: Uint8Array, ...names: string[]): boolean[] {
  const text = new TextDecoder("latin1").decode(bytes);
  return names.map((name) => text.includes(name));
}

/** A decoder's attention over its cache, heads of a width. */
function cachedAttention(width: number): GraphBuilder {
  const builder = new GraphBuilder("attention");
  const x = builder.input("x", "float32", ["rows", 2, "T", width]);
  const caches = ["keys", "values"].map((name) =>
    cacheAppend(builder.state(name, "float32", ["rows", 2, "capacity", width]), x, { axis: 2, at: "past" })
  );
  const node = attention(x, caches[0], caches[1], { causal: true, length: "past+T" });
  builder.output("y", node);
  return builder;
}

Deno.test("attention over its own cache becomes GroupQueryAttention where the head's width allows it", () => {
  const fused = cachedAttention(64).build();
  assertEquals(fused.nodes.every((node) => node.inputs.length === 0 || supportsNode(node)), true);
  const model = toOnnx(fused, () => "bound");
  assertEquals(mentions(model.bytes, "GroupQueryAttention", "TensorScatter", "Cast"), [true, false, false]);
  assertEquals(model.sizes.map(({ name }) => name).sort(), ["length:T+past", "length:T+past-1", "size:rows"]);
  assertEquals(model.writes.get("keys"), { kind: "state", when: "inPlace" });
  const odd = cachedAttention(7).build();
  assertEquals(odd.nodes.filter((node) => node.inputs.length > 0 && !supportsNode(node)).length, 1);
});

Deno.test("a parameter lies in its file, or is bound, and is multiplied with as it is stored", () => {
  const build = () => {
    const builder = new GraphBuilder("tied");
    const table = builder.parameter("embedding", [10, 4]);
    const ids = builder.input("ids", "int64", ["T"]);
    const x = linear(gather(table, ids, { axis: 0 }), builder.parameter("dense", [4, 4]));
    builder.output("y", linear(x, table));
    return builder.build();
  };
  const bound = toOnnx(build(), () => "bound");
  assertEquals([...bound.boundParameters], ["embedding", "dense"]);
  assertEquals(mentions(bound.bytes, "FusedMatMul", "Transpose"), [true, false]);
  const place = (): ParameterLocation => ({ path: "/models/weights.safetensors", offset: 88, byteLength: 64 });
  const external = toOnnx(build(), place);
  assertEquals(external.boundParameters.size, 0);
  assertEquals(mentions(external.bytes, "weights.safetensors"), [true]);
  // The model has a few hundred bytes: the weights are not in it.
  assertEquals(external.bytes.length < 2000, true);
});

Deno.test("a state that something else may still read is not written in place", () => {
  const builder = new GraphBuilder("hazard");
  const state = builder.state("state", "float32", [2, 8]);
  const x = builder.input("x", "float32", [2, 1]);
  builder.scope("reader", () => builder.output("y", add(state, state)));
  builder.scope("writer", () => cacheAppend(state, x, { axis: 1, at: "past" }));
  assertThrows(() => toOnnx(builder.build(), () => "bound"), ShapeError, "(at reader)");
  const safe = new GraphBuilder("safe");
  const tokens = safe.state("tokens", "float32", [2, 8]);
  const first = slice(tokens, { starts: [0, 0], sizes: [2, 1] });
  cacheAppend(tokens, add(first, first), { axis: 1, at: "past" });
  assertEquals(toOnnx(safe.build(), () => "bound").writes.size, 1);
});

Deno.test("a state that is assigned is written when the run has ended", () => {
  const builder = new GraphBuilder("assigned");
  const state = builder.state("state", "float32", [2, 3]);
  assign(state, add(state, state));
  builder.output("flat", reshape(state, { shape: [6] }));
  const { writes } = toOnnx(builder.build(), () => "bound");
  assertEquals(writes.get("state"), { kind: "state", when: "atEnd" });
});
