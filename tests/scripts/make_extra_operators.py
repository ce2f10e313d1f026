"""Operator goldens beside make_operators.py's: what a decoder needs and the plain cases lack.

Writes extra.safetensors and extra.json into --out, in the same form, with two more keys: `shapes` gives inputs named
axes and `sizes` their lengths. float64 inside, stored as float32.
    python3 make_extra_operators.py --out tests/fixtures/operators
"""
import argparse, json, math
import numpy as np, torch
from safetensors.numpy import save_file

parser = argparse.ArgumentParser()
parser.add_argument("--out", default=".")
args = parser.parse_args()
generator = torch.Generator().manual_seed(777)
tensors, cases = {}, []


def random(*shape, scale=1.0):
    return (torch.randn(shape, generator=generator, dtype=torch.float64) * scale).float().double()


def store(key, tensor):
    array = tensor.detach()
    array = array.float().numpy() if array.is_floating_point() else array.numpy()
    tensors[key] = np.ascontiguousarray(array)
    return key


def case(name, operator, function, inputs, attributes=None, gradients=None, sizes=None, shapes=None):
    values = {key: value.clone() for key, value in inputs.items()}
    wanted = [k for k, v in values.items() if v.is_floating_point()] if gradients is None else gradients
    for key in wanted:
        values[key].requires_grad_(True)
    outputs = function(**values)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    entry = dict(name=name, operator=operator, attributes=attributes or {},
                 inputs={k: store(f"{name}.in.{k}", v) for k, v in values.items()},
                 outputs=[store(f"{name}.out.{i}", o) for i, o in enumerate(outputs)])
    if sizes:
        entry["sizes"] = sizes
    if shapes:
        entry["shapes"] = shapes
    if wanted and outputs[0].is_floating_point():
        cotangent = random(*outputs[0].shape)
        found = torch.autograd.grad(outputs[0], [values[k] for k in wanted], cotangent)
        entry["cotangent"] = store(f"{name}.cotangent", cotangent)
        entry["gradients"] = {k: store(f"{name}.grad.{k}", v) for k, v in zip(wanted, found)}
    cases.append(entry)


def attention(query, key, value, mask=None, causal=False, length=None, scale=None):
    """Keys of `batch` rows shared by the beams of each; only the first `length` positions are used."""
    beams = query.shape[0] // key.shape[0]
    key = key[:, :, :length].repeat_interleave(beams, 0)
    value = value[:, :, :length].repeat_interleave(beams, 0)
    scores = query @ key.transpose(-1, -2) * (scale or 1 / math.sqrt(query.shape[-1]))
    if mask is not None:
        mask = mask[..., :length] if mask.shape[-1] != 1 else mask
        scores = scores + (mask if mask.shape[0] in (1, query.shape[0]) else mask.repeat_interleave(beams, 0))
    if causal:
        T, S = scores.shape[-2:]
        scores = scores.masked_fill(~torch.ones(T, S, dtype=torch.bool).tril(S - T), -1e30)
    return scores.softmax(-1) @ value


# attention: rows = batch · beams, a capacity longer than the length, causal and an additive mask, alone and together
for D in (7, 64):
    for tag, batch, beams, H, T, S, length, causal, mask_shape in [
        ("shared", 2, 3, 2, 1, 11, None, False, None),
        ("shared_prompt", 2, 3, 2, 4, 11, None, False, None),
        ("length", 3, 1, 2, 1, 16, 5, True, None),
        ("length_prompt", 3, 1, 2, 4, 16, 9, True, None),
        ("all", 2, 2, 3, 4, 13, 10, True, "rows"),
        ("all_one_mask", 2, 2, 3, 4, 13, 10, True, "one"),
        ("all_key_mask", 2, 2, 3, 4, 13, 10, False, "batch"),
        ("bias_and_causal", 2, 1, 3, 6, 6, None, True, "bias"),
    ]:
        inputs = dict(query=random(batch * beams, H, T, D), key=random(batch, H, S, D), value=random(batch, H, S, D))
        shape = {None: None, "rows": (batch * beams, 1, T, S), "one": (1, H, T, S), "batch": (batch, 1, 1, S), "bias": (1, H, T, S)}[mask_shape]
        if shape:
            inputs["mask"] = random(*shape)
        attributes = dict(causal=causal) | (dict(length=length) if length else {})
        case(f"attention_{tag}_{D}", "attention", lambda query, key, value, mask=None, a=attributes: attention(query, key, value, mask, **a),
             inputs, attributes)
    # the same with named axes: a decoder's step and prompt
    for tag, T, past in [("step", 1, 8), ("prompt", 5, 0)]:
        batch, beams, H, S = 2, 3, 2, 12
        case(f"attention_named_{tag}_{D}", "attention",
             lambda query, key, value, n=past + T: attention(query, key, value, None, True, n),
             dict(query=random(batch * beams, H, T, D), key=random(batch * beams, H, S, D), value=random(batch * beams, H, S, D)),
             dict(causal=True, length="T+past"), sizes=dict(batch=batch, beams=beams, T=T, past=past, capacity=S),
             shapes=dict(query=["batch*beams", H, "T", D], key=["batch*beams", H, "capacity", D], value=["batch*beams", H, "capacity", D]))
        case(f"attention_named_shared_{tag}_{D}", "attention", lambda query, key, value: attention(query, key, value),
             dict(query=random(batch * beams, H, T, D), key=random(batch, H, S, D), value=random(batch, H, S, D)),
             {}, sizes=dict(batch=batch, beams=beams, T=T, sources=S),
             shapes=dict(query=["batch*beams", H, "T", D], key=["batch", H, "sources", D], value=["batch", H, "sources", D]))


def append(state, x, axis, at):
    indices = torch.arange(at, at + x.shape[axis])
    return state.index_copy(axis, indices, x)


for name, state, x, axis, at in [
    ("cache_append_step", random(3, 2, 8, 5), random(3, 2, 1, 5), 2, 6),
    ("cache_append_prompt", random(3, 2, 8, 64), random(3, 2, 4, 64), 2, 0),
    ("cache_append_all", random(2, 4, 3), random(2, 4, 3), 1, 0),
    ("cache_append_tokens", torch.randint(0, 90, (4, 7), generator=generator), torch.randint(0, 90, (4, 1), generator=generator), 1, 3),
]:
    case(name, "cacheAppend", lambda state, x, axis=axis, at=at: append(state, x, axis, at), dict(state=state, x=x), dict(axis=axis, at=at), gradients=[])
case("cache_append_named", "cacheAppend", lambda state, x: append(state, x, 2, 3), dict(state=random(4, 2, 9, 6), x=random(4, 2, 2, 6)),
     dict(axis=2, at="past"), gradients=[], sizes=dict(batch=4, past=3, T=2, capacity=9), shapes=dict(state=["batch", 2, "capacity", 6], x=["batch", 2, "T", 6]))

numbers = torch.tensor([-2.7, -1.0, -0.2, 0.0, 0.2, 1.5, 2.9, 1000.6], dtype=torch.float64)
case("cast_to_int", "cast", lambda x: x.to(torch.int64), dict(x=numbers), dict(dataType="int64"))
case("cast_to_bool", "cast", lambda x: (x != 0).to(torch.uint8), dict(x=numbers), dict(dataType="bool"))
case("cast_to_float", "cast", lambda x: x.double(), dict(x=torch.tensor([-3, 0, 7, 65537])), dict(dataType="float32"))
case("slice_named", "slice", lambda x: x[:, 3:5], dict(x=random(4, 9)), dict(starts=[0, "past"], sizes=["batch", "T"]), sizes=dict(batch=4, past=3, T=2, capacity=9), shapes=dict(x=["batch", "capacity"]))
case("range_named", "range", lambda: torch.arange(3, 8), dict(), dict(size="T", start="past"), sizes=dict(past=3, T=5))
case("cumulative_sum", "cumulativeSum", lambda x: x.cumsum(1), dict(x=random(3, 7, 2)), dict(axis=1))
case("cumulative_sum_reversed", "cumulativeSum", lambda x: x.flip(-1).cumsum(-1).flip(-1), dict(x=random(3, 7)), dict(axis=-1, reversed=True))
case("cumulative_sum_integers", "cumulativeSum", lambda x: x.cumsum(-1), dict(x=torch.randint(0, 2, (3, 9), generator=generator)), dict(axis=-1))
case("scatter_add", "scatterAdd", lambda indices, updates: torch.zeros(6, 3, dtype=torch.float64).index_add(0, indices.flatten(), updates.flatten(0, 1)),
     dict(indices=torch.tensor([[0, 5, 5], [2, 0, 5]]), updates=random(2, 3, 3)), dict(size=6))
case("gather_second_axis", "gather", lambda table, indices: table[:, indices], dict(table=random(3, 5, 4), indices=torch.tensor([[4, 0], [1, 1]])), dict(axis=1))
case("equal", "equal", lambda a, b: (a == b).to(torch.uint8), dict(a=torch.randint(0, 3, (4, 5), generator=generator), b=torch.randint(0, 3, (5,), generator=generator)), gradients=[])
case("greater_or_equal", "greaterOrEqual", lambda a, b: (a >= b).to(torch.uint8), dict(a=torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64), b=torch.tensor([1.0, 2.5, 3.0], dtype=torch.float64)), gradients=[])
case("reduce_max", "reduceMax", lambda x: x.amax(1), dict(x=torch.tensor([[1.0, 3.0, 3.0], [0.0, -1.0, -2.0]], dtype=torch.float64)), dict(axes=[1]))
case("top_k_gradient", "topK", lambda x: tuple(torch.topk(x, 3, -1)), dict(x=random(4, 17)), dict(k=3, axis=-1))
case("reduce_mean_named", "reduceMean", lambda x: x.mean(1), dict(x=random(3, 5, 4)), dict(axes=[1]), sizes=dict(T=5), shapes=dict(x=[3, "T", 4]))
case("silu_large", "silu", lambda x: torch.nn.functional.silu(x), dict(x=random(3, 2049, scale=20)))
def scatter(x, indices, updates):
    return x.index_copy(0, indices.flatten(), updates.flatten(0, 1))
case("scatter", "scatter", scatter, dict(x=random(6, 3), indices=torch.tensor([[4, 0], [5, 2]]), updates=random(2, 2, 3)))
case("scatter_same", "scatter", lambda x, indices, updates: x.index_copy(0, indices, updates),
     dict(x=random(7), indices=torch.tensor([3, 6, 3, 3]), updates=torch.full((4,), 0.5, dtype=torch.float64)), gradients=[])
case("pad_integers", "pad", lambda x: torch.nn.functional.pad(x, (2, 1), value=-1), dict(x=torch.randint(0, 9, (2, 3), generator=generator)),
     dict(beginning=[0, 2], ending=[0, 1], value=-1))
def reorder(state, rows, axis, length):
    moved = state.clone()
    moved.narrow(axis, 0, length).copy_(state[rows].narrow(axis, 0, length))
    return moved
case("cache_reorder", "cacheReorder", lambda state, rows: reorder(state, rows, 2, 3), dict(state=random(6, 2, 5, 4), rows=torch.tensor([0, 0, 1, 5, 5, 3])),
     dict(axis=2, length=3, group=3), gradients=[])
case("cache_reorder_narrow", "cacheReorder", lambda state, rows: reorder(state, rows, 2, 4), dict(state=random(4, 3, 4, 3), rows=torch.tensor([1, 0, 3, 2])),
     dict(axis=2, length="T", group=2), gradients=[], sizes=dict(T=4, C=4), shapes=dict(state=[4, 3, "C", 3]))
case("cache_reorder_tokens", "cacheReorder", lambda state, rows: reorder(state, rows, 1, 5), dict(state=torch.randint(0, 99, (4, 8), generator=generator), rows=torch.tensor([3, 1, 1, 0])),
     dict(axis=1, length="T", group=4), gradients=[], sizes=dict(T=5), shapes=dict(state=[4, 8]))
save_file(tensors, f"{args.out}/extra.safetensors")
json.dump(dict(about=f"PyTorch {torch.__version__}, float64 inside, stored as float32", cases=cases), open(f"{args.out}/extra.json", "w"), separators=(",", ":"))
print(len(cases), "cases", sum(t.nbytes for t in tensors.values()) / 1e6, "MB")
