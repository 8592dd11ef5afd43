// Reduction of the middle axis of x, (outer, length, inner), in `parts` pieces of `chunk` elements:
//   y[o, part, i] = finish(combine over l in the piece of map(x[o, l, i]))
// One invocation a result, a plain loop over its piece: no barrier, and a fixed order, so results repeat bit for bit.
// Long reductions to few results run twice, the second time over the parts. Grid (outer * parts * inner).
// use lib/index.wgsl

struct Params { outer: u32, length: u32, inner: u32, chunk: u32, parts: u32, scale: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> index: array<u32>;

fn start() -> f32 { return 0.0; } // variant
fn combine(acc: f32, v: f32) -> f32 { return acc + v; } // variant
fn better(v: f32, acc: f32) -> bool { return v > acc; } // variant

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.parts * params.inner) { return; }
  let i = at % params.inner;
  let part = at / params.inner % params.parts;
  let base = at / params.inner / params.parts * params.length * params.inner + i;
  let end = min((part + 1u) * params.chunk, params.length);
  var acc = start();
  // Four sums side by side: a shorter chain of dependent additions, and a smaller rounding error.
  var l = part * params.chunk;
  if (l + 4u <= end) {
    var a0 = x[base + l * params.inner];
    var a1 = x[base + (l + 1u) * params.inner];
    var a2 = x[base + (l + 2u) * params.inner];
    var a3 = x[base + (l + 3u) * params.inner];
    for (l += 4u; l + 4u <= end; l += 4u) {
      a0 = combine(a0, x[base + l * params.inner]);
      a1 = combine(a1, x[base + (l + 1u) * params.inner]);
      a2 = combine(a2, x[base + (l + 2u) * params.inner]);
      a3 = combine(a3, x[base + (l + 3u) * params.inner]);
    }
    acc = combine(acc, combine(combine(a0, a1), combine(a2, a3)));
  }
  for (; l < end; l++) { acc = combine(acc, x[base + l * params.inner]); }
  y[at] = acc * params.scale;
}

// Position of the best element along the middle axis, the first of equals. Grid (outer * inner).
@compute @workgroup_size(64)
fn arg(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.inner) { return; }
  let base = at / params.inner * params.length * params.inner + at % params.inner;
  var best = x[base];
  var where_ = 0u;
  for (var l = 1u; l < params.length; l++) {
    let v = x[base + l * params.inner];
    if (better(v, best)) {
      best = v;
      where_ = l;
    }
  }
  index[at] = where_;
}
