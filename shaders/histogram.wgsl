// Counting by bin and by class.
//   edges    y[b] += 1 for the bin with edges[b] <= x[i] < edges[b + 1], the last edge included; bins = edges - 1.
//   classes  y[x[i]] += 1 where x[i] < bins
//   weighted sums[part, c] = sum of weights[i] over the i of the piece with labels[i] = c
// Counts are integers, so the order of their additions is free; weighted sums go by class, in the order of i, never
// atomically. One invocation an element, grid (size); weighted: one a class and piece of `chunk` elements, grid (parts
// * bins).
// use lib/index.wgsl

struct Params { size: u32, bins: u32, chunk: u32, parts: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> edgeOf: array<f32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(64)
fn edges(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  let v = x[i];
  // NaN is found by its bits: comparisons with it may say anything
  if ((bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u || v < edgeOf[0] || v > edgeOf[params.bins]) { return; }
  // Bisection for the number of inner edges at or below v
  var low = 0u;
  var high = params.bins - 1u;
  while (low < high) {
    let m = (low + high) / 2u;
    if (edgeOf[m + 1u] <= v) { low = m + 1u; } else { high = m; }
  }
  atomicAdd(&y[low], 1u);
}

@compute @workgroup_size(64)
fn classes(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  if (labels[i] < params.bins) { atomicAdd(&y[labels[i]], 1u); }
}

@compute @workgroup_size(64)
fn weighted(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.parts * params.bins) { return; }
  let c = at % params.bins;
  let begin = at / params.bins * params.chunk;
  let end = min(begin + params.chunk, params.size);
  var sum = 0.0;
  for (var i = begin; i < end; i++) {
    if (labels[i] == c) { sum += weights[i]; }
  }
  sums[at] = sum;
}
