// One step of Adam or AdamW over a whole parameter arena, as PyTorch's:
//   p = p - shrink p (AdamW);  d = sign g + weightDecay p (Adam);  m = b1 m + (1 - b1) d;  v = b2 v + (1 - b2) d^2;
//   p = p - lr / (1 - b1^t) m / (sqrt(w) / sqrt(1 - b2^t) + eps),  w = v, or with amsgrad its running maximum
// A row of hyper = lr / (1 - b1^t), sign, weightDecay, shrink, 1 - b1, 1 - b2, sqrt(1 - b2^t), eps: differences come
// from the host in f64, since 1 - b2 in f32 is off by 1e-5. Four elements an invocation; grid (size / 4).
// use lib/index.wgsl
// use lib/optimizer.wgsl

struct Params { quads: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> hyper: array<f32>;
@group(0) @binding(2) var<storage, read> blocks: array<u32>;
@group(0) @binding(3) var<storage, read> g: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> vMax: array<vec4f>;

// Advances both moments of quad i; returns the second.
fn advance(i: u32, word: u32) -> vec4f {
  let h = rowOf(word);
  let d = descent(g[i], p[i], hyper[h + 1u], decayOf(word, hyper[h + 2u]));
  let second = v[i] + hyper[h + 5u] * (d * d - v[i]);
  m[i] += hyper[h + 4u] * (d - m[i]);
  v[i] = second;
  return second;
}

fn move_(i: u32, word: u32, second: vec4f) {
  let h = rowOf(word);
  let before = p[i] - decayOf(word, hyper[h + 3u]) * p[i];
  p[i] = before - hyper[h] * m[i] / (sqrt(second) / hyper[h + 6u] + hyper[h + 7u]);
}

@compute @workgroup_size(64)
fn step_(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let word = blocks[blockOf(i)];
  if (isTrained(word)) { move_(i, word, advance(i, word)); }
}

@compute @workgroup_size(64)
fn stepAmsgrad(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let word = blocks[blockOf(i)];
  if (!isTrained(word)) { return; }
  let largest = max(vMax[i], advance(i, word));
  vMax[i] = largest;
  move_(i, word, largest);
}
