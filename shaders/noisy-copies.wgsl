// Noisy copies of several inputs, and the votes on them. Row r of a batch is copy c = base + (start + r) % copies of
// input i = (start + r) / copies; rows from `total` on belong to no input.
//   draw   y[r] = x[i] + sigma * z, where elements 4 b .. 4 b + 3 of z come from the 128 bits
//          philox((b, c, streams[i], 0), key): noise depends on stream, copy and place alone, not on the batch. One
//          invocation per block of four elements; grid (ceil(size / 4), rows)
//   count  counts[first + i, class of row r of logits]++: integers, so their order is free; logits: (rows, classes),
//          size = classes. A row without a class (lib/vote.wgsl) is no vote. One invocation per row; grid (rows)
// use lib/index.wgsl
// use lib/philox.wgsl
// use lib/normal.wgsl
// use lib/vote.wgsl

alias Element = f32; // variant

struct Params { key0: u32, key1: u32, rows: u32, size: u32, sigma: f32 }
struct State { start: u32, copies: u32, base: u32, total: u32, first: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read> x: array<Element>;
@group(0) @binding(3) var<storage, read> streams: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<Element>;
@group(0) @binding(5) var<storage, read> logits: array<f32>;
@group(0) @binding(6) var<storage, read_write> counts: array<atomic<u32>>;

// Four elements from i, of which `n` exist. The vector variant needs a size that is a multiple of four.
fn readX(i: u32) -> vec4f { return vec4f(x[i], x[i + 1u], x[i + 2u], x[i + 3u]); } // variant
fn writeY(i: u32, n: u32, v: vec4f) { // variant
  y[i] = Element(v.x);
  if (n > 1u) { y[i + 1u] = Element(v.y); }
  if (n > 2u) { y[i + 2u] = Element(v.z); }
  if (n > 3u) { y[i + 3u] = Element(v.w); }
}

@compute @workgroup_size(8, 8)
fn draw(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  let first = id.x * 4u;
  if (first >= params.size || row >= min(params.rows, state.total - state.start)) { return; }
  let input = (state.start + row) / state.copies;
  let copy = state.base + state.start + row - input * state.copies;
  let z = normals(philox(vec4u(id.x, copy, streams[input], 0u), vec2u(params.key0, params.key1)));
  writeY(row * params.size + first, params.size - first, readX(input * params.size + first) + params.sigma * z);
}

@compute @workgroup_size(64)
fn count(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  if (row >= min(params.rows, state.total - state.start)) { return; }
  let classes = params.size;
  var vote = firstVote(logits[row * classes]);
  for (var c = 1u; c < classes; c++) { vote = voted(vote, logits[row * classes + c], c); }
  if (!hasClass(vote)) { return; }
  atomicAdd(&counts[(state.first + (state.start + row) / state.copies) * classes + vote.at], 1u);
}
