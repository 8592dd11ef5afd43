// y = apply(a, b) with NumPy broadcasting. Each of `axes` holds (size, stride in a, stride in b, unused) of an axis of
// y, the last axis first; a stride is 0 along a broadcast axis, and the host joins neighbours, so that equal shapes are
// one axis. An operand that is a number comes as the bits in `scalar`. One invocation an element, or a vector of four
// along the last axis, where size, the last axis and the strides count those; an operand that is broadcast along it
// keeps its elements. Grid (size).
// use lib/index.wgsl
// use lib/nan.wgsl
// use lib/pow.wgsl

alias Element = f32; // variant
alias Result = f32; // variant
alias ElementsA = Element; // variant
alias ElementsB = Element; // variant
alias Elements = Element; // variant
alias Results = Result; // variant
const RANK = 1u; // variant

struct Params { size: u32, scalar: u32, axes: array<vec4u, 8> }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<ElementsA>;
@group(0) @binding(2) var<storage, read> b: array<ElementsB>;
@group(0) @binding(3) var<storage, read_write> y: array<Results>;

fn first(i: u32) -> Elements { return Elements(a[i]); } // variant
fn second(i: u32) -> Elements { return Elements(b[i]); } // variant
fn apply(a: Element, b: Element) -> Result { return Result(a); } // variant
fn applyAll(u: Elements, v: Elements) -> Results { return apply(u, v); } // variant

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  if (RANK == 1u) {
    y[i] = applyAll(first(i * params.axes[0].y), second(i * params.axes[0].z));
    return;
  }
  var rest = i;
  var at = vec2u();
  for (var r = 0u; r < RANK; r++) { // unroll
    at += rest % params.axes[r].x * params.axes[r].yz;
    rest = rest / params.axes[r].x;
  }
  y[i] = applyAll(first(at.x), second(at.y));
}
