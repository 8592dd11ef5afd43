// One step of RMSprop over a whole parameter arena, as PyTorch's:
//   d = g + weightDecay p;  v = alpha v + (1 - alpha) d^2;  a = alpha a + (1 - alpha) d (centered);
//   s = d / (sqrt(v - a^2) + eps), a = 0 unless centered;  m = momentum m + s;  p = p - lr m, or p - lr s without
//   momentum
// A row of hyper = lr, sign, weightDecay, 1 - alpha, eps, momentum. One entry for each set of slots.
// Four elements an invocation; grid (size / 4).
// use lib/index.wgsl
// use lib/optimizer.wgsl

struct Params { quads: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> hyper: array<f32>;
@group(0) @binding(2) var<storage, read> blocks: array<u32>;
@group(0) @binding(3) var<storage, read> g: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> a: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> m: array<vec4f>;

fn gradientOf(i: u32, word: u32) -> vec4f {
  let h = rowOf(word);
  return descent(g[i], p[i], hyper[h + 1u], decayOf(word, hyper[h + 2u]));
}

fn plainStep(i: u32, word: u32) -> vec4f {
  let h = rowOf(word);
  let d = gradientOf(i, word);
  let square = v[i] + hyper[h + 3u] * (d * d - v[i]);
  v[i] = square;
  return d / (sqrt(square) + hyper[h + 4u]);
}

fn centeredStep(i: u32, word: u32) -> vec4f {
  let h = rowOf(word);
  let d = gradientOf(i, word);
  let square = v[i] + hyper[h + 3u] * (d * d - v[i]);
  let mean = a[i] + hyper[h + 3u] * (d - a[i]);
  v[i] = square;
  a[i] = mean;
  // A variance that rounding made negative counts as 0.
  return d / (sqrt(max(square - mean * mean, vec4f())) + hyper[h + 4u]);
}

fn gather(i: u32, word: u32, s: vec4f) -> vec4f {
  let buffer = hyper[rowOf(word) + 5u] * m[i] + s;
  m[i] = buffer;
  return buffer;
}

@compute @workgroup_size(64)
fn plain(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let word = blocks[blockOf(i)];
  if (isTrained(word)) { p[i] -= hyper[rowOf(word)] * plainStep(i, word); }
}

@compute @workgroup_size(64)
fn withMomentum(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let word = blocks[blockOf(i)];
  if (isTrained(word)) { p[i] -= hyper[rowOf(word)] * gather(i, word, plainStep(i, word)); }
}

@compute @workgroup_size(64)
fn centered(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let word = blocks[blockOf(i)];
  if (isTrained(word)) { p[i] -= hyper[rowOf(word)] * centeredStep(i, word); }
}

@compute @workgroup_size(64)
fn centeredWithMomentum(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let word = blocks[blockOf(i)];
  if (isTrained(word)) { p[i] -= hyper[rowOf(word)] * gather(i, word, centeredStep(i, word)); }
}
