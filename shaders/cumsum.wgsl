// Running sum along the middle axis of x, (outer, length, inner), in `parts` pieces of `chunk` elements.
//   sums     y[o, part, i] = sum over the piece
//   forward  y[o, l, i] = before[o, part, i] + sum of x[o, m, i] over m in the piece with m <= l (exclusive: m < l)
// Long axes take three steps: sums, forward over the sums (exclusive), forward over the pieces. REVERSE counts l from
// the end. One invocation a piece, a plain loop: the order is fixed. Grid (outer * parts * inner).
// use lib/index.wgsl

alias Element = f32; // variant
override REVERSE: u32 = 0u;
override EXCLUSIVE: u32 = 0u;
override BEFORE: u32 = 0u;

struct Params { outer: u32, length: u32, inner: u32, chunk: u32, parts: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> before: array<Element>;
@group(0) @binding(3) var<storage, read_write> y: array<Element>;

// Position of the l-th element of the row in which piece `at` lies.
fn place(at: u32, l: u32) -> u32 {
  let row = at / params.inner / params.parts;
  let along = select(l, params.length - 1u - l, REVERSE == 1u);
  return (row * params.length + along) * params.inner + at % params.inner;
}

@compute @workgroup_size(64)
fn sums(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.parts * params.inner) { return; }
  let begin = at / params.inner % params.parts * params.chunk;
  let end = min(begin + params.chunk, params.length);
  var sum = Element(0);
  for (var l = begin; l < end; l++) { sum += x[place(at, l)]; }
  y[at] = sum;
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.parts * params.inner) { return; }
  let begin = at / params.inner % params.parts * params.chunk;
  let end = min(begin + params.chunk, params.length);
  var sum = Element(0);
  if (BEFORE == 1u) { sum = before[at]; }
  for (var l = begin; l < end; l++) {
    let p = place(at, l);
    let next = sum + x[p];
    y[p] = select(next, sum, EXCLUSIVE == 1u);
    sum = next;
  }
}
