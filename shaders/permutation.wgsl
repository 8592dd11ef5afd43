// y[rank of i] = i, where i is ranked by the 64 random bits words[2 i], words[2 i + 1], equal ones by i: a uniform
// permutation. One invocation an element, which compares it with all others; grid (n).
// use lib/index.wgsl

struct Params { n: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> words: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.n) { return; }
  let own = words[i];
  var rank = 0u;
  for (var j = 0u; j < params.n; j++) {
    let other = words[j];
    rank += select(0u, 1u, other.x < own.x || (other.x == own.x && (other.y < own.y || (other.y == own.y && j < i))));
  }
  y[rank] = i;
}
