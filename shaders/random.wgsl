// Random tensors by counter: item n, block b of four elements has the 128 bits philox((b, state[0] + n, stream + state[1], 0), key).
// So a value depends on its place alone, not on the batch it was drawn in; a captured step moves on by its state.
//   bits     y = the random words
//   uniform  y = mean + deviation * u, u in [0, 1) in steps of 2^-24
//   normal   y = x[element of item n % items] + deviation * z, or mean + deviation * z without x
// y: (count, size); one invocation a block; grid (count * ceil(size / 4)).
// use lib/index.wgsl
// use lib/philox.wgsl
// use lib/normal.wgsl

const ADD = 0u; // variant

struct Params { key0: u32, key1: u32, stream: u32, count: u32, size: u32, items: u32, mean: f32, deviation: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> words: array<u32>;

struct Place { item: u32, start: u32, count: u32, bits: vec4u }

fn place(i: u32) -> Place {
  let blocks = (params.size + 3u) / 4u;
  let item = i / blocks;
  let at = i % blocks;
  let bits = philox(vec4u(at, state[0] + item, params.stream + state[1], 0u), vec2u(params.key0, params.key1));
  return Place(item, at * 4u, min(4u, params.size - at * 4u), bits);
}

@compute @workgroup_size(64)
fn bits(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.count * ((params.size + 3u) / 4u)) { return; }
  let p = place(i);
  for (var j = 0u; j < p.count; j++) { words[p.item * params.size + p.start + j] = p.bits[j]; }
}

@compute @workgroup_size(64)
fn uniform_(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.count * ((params.size + 3u) / 4u)) { return; }
  let p = place(i);
  for (var j = 0u; j < p.count; j++) {
    y[p.item * params.size + p.start + j] = params.mean + params.deviation * (f32(p.bits[j] >> 8u) * 5.9604645e-8);
  }
}

@compute @workgroup_size(64)
fn normal(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.count * ((params.size + 3u) / 4u)) { return; }
  let p = place(i);
  let z = normals(p.bits);
  for (var j = 0u; j < p.count; j++) {
    var center = params.mean;
    if (ADD == 1u) { center = x[p.item % params.items * params.size + p.start + j]; }
    y[p.item * params.size + p.start + j] = center + params.deviation * z[j];
  }
}
