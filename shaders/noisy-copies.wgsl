// Noisy copies of several inputs, and the votes on them. Row r of a batch is copy c = base + (start + r) % copies of input
// i = (start + r) / copies; rows from `total` on belong to no input.
//   draw  y[r] = x[i] + sigma * z, where elements 4 b .. 4 b + 3 of z are made of the 128 bits philox((b, c, streams[i], 0), key):
//         noise depends on stream, copy and place alone, not on the batch. One invocation a block of four; grid (rows * ceil(size / 4))
//   count counts[first + i, argmax of row r of y]++: integers, so their order is free; y: (rows, size = classes), the first
//         of equal maxima; grid (rows)
// use lib/index.wgsl
// use lib/philox.wgsl
// use lib/normal.wgsl

struct Params { key0: u32, key1: u32, rows: u32, size: u32, sigma: f32 }
struct State { start: u32, copies: u32, base: u32, total: u32, first: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> streams: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> counts: array<atomic<u32>>;

@compute @workgroup_size(64)
fn draw(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let blocks = (params.size + 3u) / 4u;
  let row = i / blocks;
  if (row >= min(params.rows, state.total - state.start)) { return; }
  let part = i % blocks;
  let input = (state.start + row) / state.copies;
  let copy = state.base + (state.start + row) % state.copies;
  let counter = vec4u(part, copy, streams[input], 0u);
  let z = normals(philox(counter, vec2u(params.key0, params.key1)));
  let from_ = input * params.size + part * 4u;
  let to_ = row * params.size + part * 4u;
  let end = min(4u, params.size - part * 4u);
  for (var j = 0u; j < end; j++) {
    y[to_ + j] = x[from_ + j] + params.sigma * z[j];
  }
}

@compute @workgroup_size(64)
fn count(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  if (row >= min(params.rows, state.total - state.start)) { return; }
  let classes = params.size;
  var best = y[row * classes];
  var at = 0u;
  for (var c = 1u; c < classes; c++) {
    let v = y[row * classes + c];
    if (v > best) {
      best = v;
      at = c;
    }
  }
  atomicAdd(&counts[(state.first + (state.start + row) / state.copies) * classes + at], 1u);
}
