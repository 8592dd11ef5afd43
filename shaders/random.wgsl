// Random tensors by counter: item n, block b of four elements has the 128 bits philox((b, state[0] + n, stream +
// state[1], 0), key). So a value depends on its place alone, not on the batch it was drawn in; a captured step moves on
// by its state.
//   draw      y = value(word of the element, p, q), the bits of any type; p from a table of y's shape where TABLE = 1
//   integers  y = low + an integer in 0..range-1; range = 0 stands for 2^32
//   normal    y = x[element of item n % items] + q * z, or p + q * z without x
// y: (count, size); one invocation per block; grid (count * ceil(size / 4)).
// use lib/index.wgsl
// use lib/nan.wgsl
// use lib/philox.wgsl
// use lib/normal.wgsl

override ADD: u32 = 0u;
override TABLE: u32 = 0u;

struct Params {
  key0: u32,
  key1: u32,
  stream: u32,
  count: u32,
  size: u32,
  items: u32,
  p: f32,
  q: f32,
  low: i32,
  range: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> words: array<u32>;

fn value(w: u32, p: f32, q: f32) -> u32 { return w; } // variant

struct Place { item: u32, start: u32, count: u32, counter: vec4u, bits: vec4u }

fn place(i: u32) -> Place {
  let blocks = (params.size + 3u) / 4u;
  let item = i / blocks;
  let at = i - item * blocks;
  let counter = vec4u(at, state[0] + item, params.stream + state[1], 0u);
  return Place(item, item * params.size + at * 4u, min(4u, params.size - at * 4u), counter,
    philox(counter, vec2u(params.key0, params.key1)));
}

@compute @workgroup_size(64)
fn draw(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.count * ((params.size + 3u) / 4u)) { return; }
  let b = place(i);
  for (var j = 0u; j < b.count; j++) {
    var p = params.p;
    if (TABLE == 1u) { p = x[b.start + j]; }
    words[b.start + j] = value(b.bits[j], p, params.q);
  }
}

// The high word of word * range (Lemire, 2019). Low words below 2^32 mod range belong to a value that has one word too
// many: they are drawn again, at most 31 times, from the counters with 1, 2, .. in the last place. What is left is
// below 2^-32.
@compute @workgroup_size(64)
fn integers(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.count * ((params.size + 3u) / 4u)) { return; }
  let b = place(i);
  let range = params.range;
  var excess = 0u;
  if (range > 0u) { excess = (0u - range) % range; }
  for (var j = 0u; j < b.count; j++) {
    var word = b.bits[j];
    for (var attempt = 1u; word * range < excess && attempt < 32u; attempt++) {
      word = philox(vec4u(b.counter.xyz, attempt), vec2u(params.key0, params.key1))[j];
    }
    words[b.start + j] = bitcast<u32>(params.low) + select(mulHigh(word, range), word, range == 0u);
  }
}

@compute @workgroup_size(64)
fn normal(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.count * ((params.size + 3u) / 4u)) { return; }
  let b = place(i);
  var v = vec4f(params.p);
  if (ADD == 1u) {
    let from_ = b.start - b.item * params.size + b.item % params.items * params.size;
    v = vec4f(x[from_], x[from_ + 1u], x[from_ + 2u], x[from_ + 3u]);
  }
  v += params.q * normals(b.bits);
  // Written out: a lane of a vector by a variable index lies in memory.
  y[b.start] = v.x;
  if (b.count > 1u) { y[b.start + 1u] = v.y; }
  if (b.count > 2u) { y[b.start + 2u] = v.z; }
  if (b.count > 3u) { y[b.start + 3u] = v.w; }
}
