// y = x with the elements above (UPPER = 0) or below (UPPER = 1) a diagonal set to zero bits; x: (matrices, rows,
// cols). Element (row, col) stays where col - row <= diagonal, or >= diagonal. One invocation per element; grid (size).
// use lib/index.wgsl

override UPPER: u32 = 0u;

struct Params { size: u32, rows: u32, cols: u32, diagonal: i32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  let distance = i32(i % params.cols) - i32(i / params.cols % params.rows);
  y[i] = select(0u, x[i], select(distance <= params.diagonal, distance >= params.diagonal, UPPER == 1u));
}
