// One step of Adagrad over a whole parameter arena, as PyTorch's:
//   d = sign g + weightDecay p;  v = v + d^2;  p = p - rate d / (sqrt(v) + eps),  rate = lr / (1 + (t - 1) lrDecay)
// A row of hyper = rate, sign, weightDecay, eps. Four elements an invocation; grid (size / 4).
// use lib/index.wgsl
// use lib/optimizer.wgsl

struct Params { quads: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> hyper: array<f32>;
@group(0) @binding(2) var<storage, read> blocks: array<u32>;
@group(0) @binding(3) var<storage, read> g: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> v: array<vec4f>;

@compute @workgroup_size(64)
fn step_(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let word = blocks[blockOf(i)];
  if (!isTrained(word)) { return; }
  let h = rowOf(word);
  let d = descent(g[i], p[i], hyper[h + 1u], decayOf(word, hyper[h + 2u]));
  let sum = v[i] + d * d;
  v[i] = sum;
  p[i] -= hyper[h] * d / (sqrt(sum) + hyper[h + 3u]);
}
