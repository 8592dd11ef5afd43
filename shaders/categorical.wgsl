// One class for each row of logits, or of probabilities, by the race of exponentials: y = argmax over c of logit[c] -
// log E[c] (Gumbel's maximum), or of p[c] / E[c] (PROBS = 1), E = -log u, the first of equals; -1 for a row that is no
// distribution: one with a NaN or +Infinity, or with p < 0, or with no class above -Infinity or 0. x: (items, rows,
// classes); y: (count, rows); item n takes x[n % items]. E of class c comes from element row * classes + c of item n,
// counted as in random.wgsl. One invocation a row; grid (count * rows).
// use lib/index.wgsl
// use lib/nan.wgsl
// use lib/philox.wgsl
// use lib/normal.wgsl

override PROBS: u32 = 0u;

struct Params { key0: u32, key1: u32, stream: u32, count: u32, rows: u32, classes: u32, items: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<i32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.count * params.rows) { return; }
  let item = i / params.rows;
  let start = i % params.rows * params.classes;
  let base = item % params.items * params.rows * params.classes + start;
  var best = 0.0;
  var least = 0.0;
  var most = 0u;
  var chosen = 0u;
  var words = vec4u(0u);
  for (var c = 0u; c < params.classes; c++) {
    let at = start + c;
    if (c == 0u || at % 4u == 0u) {
      words = philox(vec4u(at / 4u, state[0] + item, params.stream + state[1], 0u), vec2u(params.key0, params.key1));
    }
    let wait = -logOf(unitOpen(words[at % 4u]));
    let v = x[base + c];
    least = min(least, v);
    most = max(most, bitcast<u32>(v) & 0x7fffffffu);
    var score = 0.0;
    if (PROBS == 1u) { score = v / wait; } else { score = v - logOf(wait); }
    if (c == 0u || score > best) {
      best = score;
      chosen = c;
    }
  }
  var isNone = most > 0x7f800000u;
  if (PROBS == 1u) {
    isNone = isNone || most == 0u || most == 0x7f800000u || least < 0.0;
  } else {
    isNone = isNone || (bitcast<u32>(best) & 0x7fffffffu) >= 0x7f800000u;
  }
  y[i] = select(i32(chosen), -1, isNone);
}
