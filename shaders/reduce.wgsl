// Reduction of the middle axis of x, (outer, length, inner), in `parts` pieces of `chunk` elements:
//   forward  y[o, part, i] = finish(combine over l in the piece of map(x[o, l, i]))
//   arg      index[o, part, i] = the l of the best x[o, l, i] in the piece, the first of equals
//   argOf    index[o, 0, i] = the best of the `parts` positions that arg left in `found`
// One invocation a result, a plain loop over its piece: no barrier, and a fixed order, so results repeat bit for bit.
// Long reductions to few results run twice, the second time over the parts. Grid (outer * parts * inner).
// use lib/index.wgsl
// use lib/nan.wgsl

alias In = f32; // variant
alias Out = f32; // variant

struct Params { outer: u32, length: u32, inner: u32, chunk: u32, parts: u32, p: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;
@group(0) @binding(3) var<storage, read_write> index: array<u32>;
@group(0) @binding(4) var<storage, read> found: array<u32>;

fn start(first: Out) -> Out { return Out(0); } // variant
fn map(v: In) -> Out { return v; } // variant
fn combine(acc: Out, v: Out) -> Out { return acc + v; } // variant
fn finish(acc: Out) -> Out { return acc; } // variant
fn better(v: In, acc: In) -> bool { return v > acc; } // variant
// For folds that pass over NaN: the largest magnitude so far as bits. A result with one above that of infinity is NaN.
fn noted(most: u32, v: In) -> u32 { return 0u; } // variant

fn mapped(at: u32, most: ptr<function, u32>) -> Out {
  let v = x[at];
  *most = noted(*most, v);
  return map(v);
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.parts * params.inner) { return; }
  let i = at % params.inner;
  let part = at / params.inner % params.parts;
  let base = at / params.inner / params.parts * params.length * params.inner + i;
  let end = min((part + 1u) * params.chunk, params.length);
  // Four sums side by side: a shorter chain of dependent additions, and a smaller rounding error.
  var most = 0u;
  var l = part * params.chunk;
  var acc = start(mapped(base + l * params.inner, &most));
  if (l + 4u <= end) {
    var a0 = mapped(base + l * params.inner, &most);
    var a1 = mapped(base + (l + 1u) * params.inner, &most);
    var a2 = mapped(base + (l + 2u) * params.inner, &most);
    var a3 = mapped(base + (l + 3u) * params.inner, &most);
    for (l += 4u; l + 4u <= end; l += 4u) {
      a0 = combine(a0, mapped(base + l * params.inner, &most));
      a1 = combine(a1, mapped(base + (l + 1u) * params.inner, &most));
      a2 = combine(a2, mapped(base + (l + 2u) * params.inner, &most));
      a3 = combine(a3, mapped(base + (l + 3u) * params.inner, &most));
    }
    acc = combine(acc, combine(combine(a0, a1), combine(a2, a3)));
  }
  for (; l < end; l++) { acc = combine(acc, mapped(base + l * params.inner, &most)); }
  y[at] = select(finish(acc), bitcast<Out>(most), most > 0x7f800000u);
}

@compute @workgroup_size(64)
fn arg(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.parts * params.inner) { return; }
  let part = at / params.inner % params.parts;
  let base = at / params.inner / params.parts * params.length * params.inner + at % params.inner;
  let end = min((part + 1u) * params.chunk, params.length);
  var place = part * params.chunk;
  var best = x[base + place * params.inner];
  for (var l = place + 1u; l < end; l++) {
    let v = x[base + l * params.inner];
    if (better(v, best)) {
      best = v;
      place = l;
    }
  }
  index[at] = place;
}

@compute @workgroup_size(64)
fn argOf(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.inner) { return; }
  let i = at % params.inner;
  let base = at / params.inner * params.length * params.inner + i;
  let from_ = at / params.inner * params.parts * params.inner + i;
  var place = found[from_];
  var best = x[base + place * params.inner];
  for (var part = 1u; part < params.parts; part++) {
    let l = found[from_ + part * params.inner];
    let v = x[base + l * params.inner];
    if (better(v, best)) {
      best = v;
      place = l;
    }
  }
  index[at] = place;
}
