// y = a where the condition is not zero, else b, with NumPy broadcasting; elements of any type of four bytes, copied
// bit by bit. Each of `axes` holds (size, stride in condition, stride in a, stride in b) of an axis of y, the last axis
// first, as in binary.wgsl. A branch that is a number comes as bits. One invocation an element; grid (size).
// use lib/index.wgsl

const RANK = 1u; // variant

struct Params { size: u32, scalarA: u32, scalarB: u32, axes: array<vec4u, 8> }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> condition: array<u32>;
@group(0) @binding(2) var<storage, read> a: array<u32>;
@group(0) @binding(3) var<storage, read> b: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<u32>;

fn first(i: u32) -> u32 { return a[i]; } // variant
fn second(i: u32) -> u32 { return b[i]; } // variant
fn holds(bits: u32) -> bool { return bits != 0u; } // variant

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  var at = i * params.axes[0].yzw;
  if (RANK > 1u) {
    var rest = i;
    at = vec3u();
    for (var r = 0u; r < RANK; r++) { // unroll
      at += rest % params.axes[r].x * params.axes[r].yzw;
      rest = rest / params.axes[r].x;
    }
  }
  y[i] = select(second(at.z), first(at.y), holds(condition[at.x]));
}
