// y = scale x where the random bits of the element are at least `threshold`, else 0 x: NaN for what is not finite.
// Element e of item n has word e % 4 of philox((e / 4, first[0] + n, first[1], 0), key), as shaders/random.wgsl draws
// them; the gradient is the same map of dy. x: (count, size); one invocation per block of four elements of an item;
// grid (count * ceil(size / 4)).
// use lib/index.wgsl
// use lib/nan.wgsl
// use lib/philox.wgsl

struct Params { key0: u32, key1: u32, count: u32, size: u32, threshold: u32, scale: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> first: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> state: array<u32>;
@group(0) @binding(5) var<storage, read_write> drawn: array<u32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let blocks = (params.size + 3u) / 4u;
  if (i >= params.count * blocks) { return; }
  let n = i / blocks;
  let start = i % blocks * 4u;
  let bits = philox(vec4u(i % blocks, first[0] + n, first[1], 0u), vec2u(params.key0, params.key1));
  for (var k = 0u; k < min(4u, params.size - start); k++) {
    let at = n * params.size + start + k;
    let v = x[at];
    let isFinite = (bitcast<u32>(v) & 0x7fffffffu) < 0x7f800000u;
    y[at] = select(select(bitcast<f32>(bitcast<u32>(v) | 0x7fc00000u), 0.0, isFinite), params.scale * v,
      bits[k] >= params.threshold);
  }
}

// drawn = state, state[0] += count: the items of one forward pass. Grid (1).
@compute @workgroup_size(64)
fn advance(@builtin(local_invocation_index) lane: u32) {
  if (lane > 0u) { return; }
  drawn[0] = state[0];
  drawn[1] = state[1];
  state[0] += params.count;
}
