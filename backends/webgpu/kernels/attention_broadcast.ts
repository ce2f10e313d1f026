// Attention of many queries where lanes can broadcast: keys are loaded once for a workgroup's queries.
import { multiplyDimensions } from "../../../src/graph/mod.ts";
import type { Resolve } from "../program/view.ts";
import { type AttentionOperands, lowest, prepareParts, readsInFours, upTo } from "./attention_parts.ts";
import type { Dispatch } from "./shader.ts";

/** The keys, and the lanes, that `broadcastAttentionKernel` takes at once. */
const broadcastLanes = 8;

/** Whether a head's numbers are few enough to unroll `broadcastAttentionKernel`. */
export function canBroadcast(operands: AttentionOperands): boolean {
  const [D, E] = [operands.query.shape[3] as number, operands.value.shape[3] as number];
  return D + E <= (readsInFours(operands) ? 256 : 48);
}

/**
 * A subgroup of 8 lanes, two queries each: a lane loads one of 8 keys and broadcasts it to the others, so that keys are
 * loaded once for 16 queries.
 */
export function broadcastAttentionKernel(operands: AttentionOperands): Dispatch {
  const { shader, wide, type, buffers, counts, T, ofLine, ofQuery, steps, score } = prepareParts(
    operands,
    "attention broadcast",
  );
  const [rows, heads, queries] = operands.query.shape;
  const lines = multiplyDimensions(rows, heads);
  const both = [0, 1];
  const keys = upTo(broadcastLanes);
  const share = (j: number) => `subgroupBroadcast(x, ${j}u)`;
  const product = (n: number, i: number, x: string) => wide ? `dot(q${n}_${i}, ${x})` : `q${n}_${i} * ${x}`;
  const perGroup = 2 * broadcastLanes;
  const seen = operands.causal ? "select(min(used, max(limit_first, limit_last)), used, blind_first)" : "used";
  const body = `let tiles = (${T} + ${perGroup - 1}u) / ${perGroup}u;
  let line = group / tiles;
  if (line >= ${shader.parameter(lines)}) { return; }
  let tile = (group % tiles) * ${perGroup}u;
  ${ofLine}
  ${
    both.map((n) =>
      `let wanted${n} = tile + ${n * broadcastLanes}u + lane;
  let t${n} = min(wanted${n}, ${T} - 1u);
  ${ofQuery(String(n))}`
    ).join("\n  ")
  }
  ${
    operands.causal
      ? `let seen_first = i32(used) - i32(${T}) + i32(tile) + 1;
  let blind_first = seen_first <= 0;
  let limit_first = u32(max(seen_first, 0));
  let limit_last = u32(max(seen_first + ${perGroup - 1}, 0));`
      : ""
  }
  let last = ${seen};
  ${
    both.map((n) => upTo(counts[0]).map((i) => `let q${n}_${i} = ${buffers.query}[query_at${n} + ${i}u];`).join("\n  "))
      .join("\n  ")
  }
  ${both.map((n) => upTo(counts[1]).map((i) => `var o${n}_${i} = ${type}();`).join(" ")).join("\n  ")}
  ${both.map((n) => `var largest${n} = ${lowest}; var total${n} = 0.0;`).join(" ")}
  for (var first = 0u; first < last; first += ${broadcastLanes}u) {
    let own = min(first + lane, used - 1u);
    let key_place = key_at + own * ${steps[0]};
    ${both.map((n) => keys.map((j) => `var s${n}_${j} = 0.0;`).join(" ")).join("\n    ")}
    ${
    upTo(counts[0]).map((i) =>
      `{ let x = ${buffers.key}[key_place + ${i}u]; ${
        keys.map((j) => `{ let k = ${share(j)}; ${both.map((n) => `s${n}_${j} += ${product(n, i, "k")};`).join(" ")} }`)
          .join(" ")
      } }`
    ).join("\n    ")
  }
    ${
    both.map((n) =>
      keys.map((j) => {
        const s = `min(first + ${j}u, used - 1u)`;
        return `s${n}_${j} = select(${lowest}, ${score(`s${n}_${j}`, s, String(n))}, first + ${j}u < limit${n});`;
      }).join("\n    ")
    ).join("\n    ")
  }
    ${
    both.map((n) => {
      const most = keys.map((j) => `s${n}_${j}`).reduce((a, b) => `max(${a}, ${b})`);
      return `let next${n} = max(largest${n}, ${most});
    let kept${n} = exp(largest${n} - next${n});
    ${
        keys.map((j) => `let p${n}_${j} = select(0.0, exp(s${n}_${j} - next${n}), first + ${j}u < limit${n});`).join(
          "\n    ",
        )
      }
    total${n} = total${n} * kept${n} + ${keys.map((j) => `p${n}_${j}`).join(" + ")};
    largest${n} = next${n};`;
    }).join("\n    ")
  }
    let value_place = value_at + own * ${steps[1]};
    ${
    upTo(counts[1]).map((i) =>
      `{ let x = ${buffers.value}[value_place + ${i}u]; ${
        both.map((n) => `var r${n} = o${n}_${i} * kept${n};`).join(" ")
      } ${
        keys.map((j) => `{ let v = ${share(j)}; ${both.map((n) => `r${n} += p${n}_${j} * v;`).join(" ")} }`).join(" ")
      } ${both.map((n) => `o${n}_${i} = r${n};`).join(" ")} }`
    ).join("\n    ")
  }
  }
  ${
    both.map((n) =>
      `if (wanted${n} < ${T}) {
    ${upTo(counts[1]).map((i) => `${buffers.target}[target_at${n} + ${i}u] = o${n}_${i} / total${n};`).join("\n    ")}
  }`
    ).join("\n  ")
  }`;
  const groups = (resolve: Resolve) => resolve(lines) * Math.ceil(resolve(queries) / perGroup);
  return shader.groups(body, groups, broadcastLanes, {
    iterations: (resolve) => Math.ceil(resolve(operands.length) / broadcastLanes),
  });
}
