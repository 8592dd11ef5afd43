// One class for each row of logits, or of probabilities, by the race of exponentials: y = argmax over c of logit[c] -
// log E[c] (Gumbel's maximum), or of p[c] / E[c] (PROBS = 1), E = -log u, the first of equals; -1 for a row that is no
// distribution: one with a NaN or +Infinity, or with p < 0, or with no class above -Infinity or 0. x: (items, rows,
// classes); y: (count, rows); item n takes x[n % items]. E of class c comes from element row * classes + c of item n,
// counted as in random.wgsl. Rows by lanes (lib/lanes.wgsl); grid (count * rows).
// use lib/lanes.wgsl
// use lib/nan.wgsl
// use lib/philox.wgsl
// use lib/normal.wgsl

override PROBS: u32 = 0u;

struct Params { key0: u32, key1: u32, stream: u32, count: u32, rows: u32, classes: u32, items: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<i32>;

// The best class and its score, none yet if NOBODY; the least value, and the largest magnitude as bits.
struct Acc { score: f32, chosen: u32, least: f32, most: u32 }

const NOBODY = 0xffffffffu;

fn join(a: Acc, b: Acc) -> Acc {
  let isAhead = b.chosen != NOBODY
    && (a.chosen == NOBODY || b.score > a.score || (b.score == a.score && b.chosen < a.chosen));
  return Acc(select(a.score, b.score, isAhead), select(a.chosen, b.chosen, isAhead), min(a.least, b.least),
    max(a.most, b.most));
}

@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let isRow = p.row < params.count * params.rows;
  let item = p.row / params.rows;
  let start = p.row % params.rows * params.classes;
  let end = select(start, start + params.classes, isRow);
  let base = item % params.items * params.rows * params.classes;
  let none = Acc(0.0, NOBODY, 0.0, 0u);
  var own = none;
  // Four classes share 128 random bits.
  let last = (end + 3u) / 4u;
  for (var four = start / 4u + p.lane; four < last; four += hop()) {
    let words = philox(vec4u(four, state[0] + item, params.stream + state[1], 0u), vec2u(params.key0, params.key1));
    for (var e = 0u; e < 4u; e++) { // unroll
      let at = four * 4u + e;
      if (at >= start && at < end) {
        let wait = -logOf(unitOpen(words[e]));
        let v = x[base + at];
        var score = 0.0;
        if (PROBS == 1u) { score = v / wait; } else { score = v - logOf(wait); }
        own.least = min(own.least, v);
        own.most = max(own.most, bitcast<u32>(v) & 0x7fffffffu);
        if (own.chosen == NOBODY || score > own.score) {
          own.score = score;
          own.chosen = at - start;
        }
      }
    }
  }
  let all = across(p, own, none);
  if (!isRow || p.lane > 0u) { return; }
  var isNone = all.most > 0x7f800000u;
  if (PROBS == 1u) {
    isNone = isNone || all.most == 0u || all.most == 0x7f800000u || all.least < 0.0;
  } else {
    isNone = isNone || (bitcast<u32>(all.score) & 0x7fffffffu) >= 0x7f800000u;
  }
  y[p.row] = select(i32(all.chosen), -1, isNone);
}
