// One step of SGD over a whole parameter arena, as PyTorch's SGD:
//   d = sign g + weightDecay p;  m = momentum m + (1 - dampening) d  (m = d in the first step);
//   d = nesterov ? d + momentum m : m;  p = p - lr d
// `plain` has no momentum and no m. A row of hyper = lr, sign, weightDecay, momentum, 1 - dampening, nesterov, isFirst.
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

@compute @workgroup_size(64)
fn plain(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let word = blocks[blockOf(i)];
  if (!isTrained(word)) { return; }
  let h = rowOf(word);
  let before = p[i];
  p[i] = before - hyper[h] * descent(g[i], before, hyper[h + 1u], decayOf(word, hyper[h + 2u]));
}

@compute @workgroup_size(64)
fn withMomentum(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  let word = blocks[blockOf(i)];
  if (!isTrained(word)) { return; }
  let h = rowOf(word);
  let before = p[i];
  let d = descent(g[i], before, hyper[h + 1u], decayOf(word, hyper[h + 2u]));
  let buffer = select(hyper[h + 3u] * m[i] + hyper[h + 4u] * d, d, hyper[h + 6u] != 0.0);
  m[i] = buffer;
  p[i] = before - hyper[h] * select(buffer, d + hyper[h + 3u] * buffer, hyper[h + 5u] != 0.0);
}
