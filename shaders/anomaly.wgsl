// Whether x holds a NaN (kind 0) or an infinity (kind 1). Found by bits, as comparisons with NaN are not reliable.
//   inspect  first = min(first, 2 op + kind) if so
//   mark     first = 1 if so
// One invocation per element; grid (size).
// use lib/index.wgsl

struct Params { size: u32, op: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> first: atomic<u32>;

@compute @workgroup_size(64)
fn inspect(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  let magnitude = x[i] & 0x7fffffffu;
  if (magnitude < 0x7f800000u) { return; }
  atomicMin(&first, 2u * params.op + select(0u, 1u, magnitude == 0x7f800000u));
}

@compute @workgroup_size(64)
fn mark(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  if ((x[i] & 0x7fffffffu) >= 0x7f800000u) { atomicMax(&first, 1u); }
}
