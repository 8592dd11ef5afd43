// One step of LAMB over a whole parameter arena, around the norms of each parameter (norms.wgsl):
//   moments  d = sign g;  m = b1 m + (1 - b1) d;  v = b2 v + (1 - b2) d^2;
//            u = m / (1 - b1^t) / (sqrt(v) / sqrt(1 - b2^t) + eps) + weightDecay p
//   move_    p = p - lr ratio u;  ratio = |p| / |u| of the whole parameter, 1 where either is 0
// A row of hyper = lr, sign, weightDecay, 1 - b1, 1 - b2, 1 - b1^t, sqrt(1 - b2^t), eps.
// Four elements an invocation; grid (size / 4).
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
@group(0) @binding(7) var<storage, read_write> u: array<vec4f>;
@group(0) @binding(8) var<storage, read> pNorms: array<f32>;
@group(0) @binding(9) var<storage, read> uNorms: array<f32>;

@compute @workgroup_size(64)
fn moments(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let word = blocks[blockOf(i)];
  if (!isTrained(word)) { return; }
  let h = rowOf(word);
  let d = hyper[h + 1u] * g[i];
  let first = m[i] + hyper[h + 3u] * (d - m[i]);
  let second = v[i] + hyper[h + 4u] * (d * d - v[i]);
  m[i] = first;
  v[i] = second;
  u[i] = first / hyper[h + 5u] / (sqrt(second) / hyper[h + 6u] + hyper[h + 7u]) + decayOf(word, hyper[h + 2u]) * p[i];
}

@compute @workgroup_size(64)
fn move_(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let word = blocks[blockOf(i)];
  if (!isTrained(word)) { return; }
  let pNorm = pNorms[parameterOf(word)];
  let uNorm = uNorms[parameterOf(word)];
  var ratio = 1.0;
  if (pNorm > 0.0 && uNorm > 0.0) { ratio = pNorm / uNorm; }
  p[i] -= hyper[rowOf(word)] * ratio * u[i];
}
