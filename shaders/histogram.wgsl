// Counting by bin and by class.
//   edges    y[b] += 1 for the bin with edges[b] <= x[i] < edges[b + 1], the last edge included; bins = edges - 1.
//   classes  y[x[i]] += 1 where x[i] < bins
//   weighted         sums[part, c] += weights[i] for the i of the piece with labels[i] = c; sums were cleared
//   weightedShared   the same by a workgroup a piece: each lane adds for the classes that are its number modulo 64
// Counts are integers, so the order of their additions is free; weighted sums take theirs in the order of i, never
// atomically. One invocation an element, grid (size); weighted: one a piece of `chunk` elements, grid (parts);
// weightedShared: grid (64 * parts).
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
  let part = linearIndex(id);
  if (part >= params.parts) { return; }
  let end = min((part + 1u) * params.chunk, params.size);
  for (var i = part * params.chunk; i < end; i++) {
    let c = labels[i];
    if (c < params.bins) { sums[part * params.bins + c] += weights[i]; }
  }
}

var<workgroup> tileLabels: array<u32, 64>;
var<workgroup> tileWeights: array<f32, 64>;

@compute @workgroup_size(64)
fn weightedShared(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let part = linearGroup(group);
  if (part >= params.parts) { return; }
  let end = min((part + 1u) * params.chunk, params.size);
  for (var begin = part * params.chunk; begin < end; begin += 64u) {
    let size = min(64u, end - begin);
    if (lane < size) {
      tileLabels[lane] = labels[begin + lane];
      tileWeights[lane] = weights[begin + lane];
    }
    workgroupBarrier();
    for (var i = 0u; i < size; i++) {
      let c = tileLabels[i];
      if (c < params.bins && c % 64u == lane) { sums[part * params.bins + c] += tileWeights[i]; }
    }
    workgroupBarrier();
  }
}
