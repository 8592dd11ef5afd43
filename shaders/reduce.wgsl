// Reduction of the middle axis of x, (outer, length, inner), in `parts` pieces of `chunk` elements:
//   forward  y[o, part, i] = finish(combine over l in the piece of map(x[o, l, i]))
//   arg      index[o, part, i] = the l of the best x[o, l, i] in the piece, the first of equals
//   argOf    index[o, i] = the best of the `parts` positions that arg left in `found`
// A row is folded by lanes in a fixed tree (lib/lanes.wgsl), one of a single part in plain order, so results
// repeat bit for bit. Long reductions to few results run twice, the second time over the parts. Rows: outer * parts *
// inner, for argOf outer * inner.
// use lib/lanes.wgsl
// use lib/nan.wgsl

alias In = f32; // variant
alias Out = f32; // variant

struct Params { outer: u32, length: u32, inner: u32, chunk: u32, parts: u32, p: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;
@group(0) @binding(3) var<storage, read_write> index: array<u32>;
@group(0) @binding(4) var<storage, read> found: array<u32>;

// 1: for arg and argOf
override ARG: u32 = 0u;

fn start(first: Out) -> Out { return Out(0); } // variant
fn map(v: In) -> Out { return v; } // variant
fn combine(acc: Out, v: Out) -> Out { return acc + v; } // variant
fn finish(acc: Out) -> Out { return acc; } // variant
fn better(v: Out, acc: Out) -> bool { return v > acc; } // variant
// For folds that pass over NaN: the largest magnitude so far as bits. A result with one above that of infinity is NaN.
fn noted(most: u32, v: In) -> u32 { return 0u; } // variant

// note: what `noted` gives; for arg the place of v.x.
struct Acc { v: vec4<Out>, note: u32 }

fn best(a: Acc, b: Acc) -> Acc {
  if (better(b.v.x, a.v.x) || (b.note < a.note && !better(a.v.x, b.v.x))) { return b; }
  return a;
}

fn combine4(a: vec4<Out>, b: vec4<Out>) -> vec4<Out> {
  return vec4<Out>(combine(a.x, b.x), combine(a.y, b.y), combine(a.z, b.z), combine(a.w, b.w));
}

fn join(a: Acc, b: Acc) -> Acc {
  if (ARG == 1u) { return best(a, b); }
  return Acc(combine4(a.v, b.v), max(a.note, b.note));
}

fn mapped(at: u32, most: ptr<function, u32>) -> Out {
  let v = x[at];
  *most = noted(*most, v);
  return map(v);
}

fn quad(at: u32, most: ptr<function, u32>) -> vec4<Out> {
  let i = params.inner;
  return vec4<Out>(mapped(at, most), mapped(at + i, most), mapped(at + 2u * i, most), mapped(at + 3u * i, most));
}

// v with the elements from l on, less than four, that lie before `end`.
fn withRest(v: vec4<Out>, base: u32, l: u32, end: u32, most: ptr<function, u32>) -> vec4<Out> {
  let at = base + l * params.inner;
  var x = v.x;
  var y = v.y;
  var z = v.z;
  var w = v.w;
  if (l < end) {
    x = combine(x, mapped(at, most));
    if (l + 1u < end) {
      y = combine(y, mapped(at + params.inner, most));
      if (l + 2u < end) {
        z = combine(z, mapped(at + 2u * params.inner, most));
        if (l + 3u < end) { w = combine(w, mapped(at + 3u * params.inner, most)); }
      }
    }
  }
  return vec4<Out>(x, y, z, w);
}

// As `forward`, for rows of a single part: four sums as far as there are fours, then what is left.
@compute @workgroup_size(64)
fn plain(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  let i = params.inner;
  if (row >= params.outer * params.parts * i) { return; }
  let begin = row / i % params.parts * params.chunk;
  let n = min(params.chunk, params.length - begin);
  let base = (row / i / params.parts * params.length + begin) * i + row % i;
  var most = 0u;
  var acc = start(mapped(base, &most));
  var l = 0u;
  if (n >= 4u) {
    var a0 = mapped(base, &most);
    var a1 = mapped(base + i, &most);
    var a2 = mapped(base + 2u * i, &most);
    var a3 = mapped(base + 3u * i, &most);
    for (l = 4u; l + 4u <= n; l += 4u) {
      let at = base + l * i;
      a0 = combine(a0, mapped(at, &most));
      a1 = combine(a1, mapped(at + i, &most));
      a2 = combine(a2, mapped(at + 2u * i, &most));
      a3 = combine(a3, mapped(at + 3u * i, &most));
    }
    acc = combine(acc, combine(combine(a0, a1), combine(a2, a3)));
  }
  for (; l < n; l++) { acc = combine(acc, mapped(base + l * i, &most)); }
  y[row] = select(finish(acc), bitcast<Out>(most), most > 0x7f800000u);
}

@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let inner = params.inner;
  let piece = p.row / inner % params.parts;
  let begin = piece * params.chunk;
  let isRow = p.row < params.outer * params.parts * inner;
  let n = select(0u, min(params.chunk, params.length - begin), isRow);
  let base = (p.row / inner / params.parts * params.length + begin) * inner + p.row % inner;
  var most = 0u;
  let none = Acc(vec4<Out>(start(map(x[base]))), 0u);
  var all = none;
  var a = withRest(none.v, base, restOf(p, n), restEnd(p, n), &most);
  var b = none.v;
  if (TAKES == 2u && (n & 4u) != 0u) { b = withRest(b, base, restOf(p, n) + 4u, n, &most); }
  var part = firstPart(p);
  loop {
    let s = spanOf(p, part, n);
    var l = s.x;
    if (l < s.y) {
      loop {
        let at = base + l * inner;
        a = combine4(a, quad(at, &most));
        if (TAKES == 2u) { b = combine4(b, quad(at + 4u * inner, &most)); }
        l += 8u;
        if (l >= s.y) { break; }
      }
    }
    all = addPart(all, Acc(a, most), Acc(b, most));
    a = none.v;
    b = none.v;
    part += 1u;
    if (part >= endPart(p)) { break; }
  }
  all = across(p, all, none);
  if (isRow && p.lane == 0u) {
    let acc = combine(combine(all.v.x, all.v.y), combine(all.v.z, all.v.w));
    y[p.row] = select(finish(acc), bitcast<Out>(all.note), all.note > 0x7f800000u);
  }
}

@compute @workgroup_size(GROUP)
fn arg(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let inner = params.inner;
  let base = p.row / inner / params.parts * params.length * inner + p.row % inner;
  let begin = p.row / inner % params.parts * params.chunk;
  let isRow = p.row < params.outer * params.parts * inner;
  let end = select(0u, min(begin + params.chunk, params.length), isRow);
  var v = Out(x[base + begin * inner]);
  var place = begin;
  let none = Acc(vec4<Out>(v), place);
  for (var l = begin + p.lane; l < end; l += hop()) {
    let other = Out(x[base + l * inner]);
    if (better(other, v)) {
      v = other;
      place = l;
    }
  }
  let all = across(p, Acc(vec4<Out>(v), place), none);
  if (isRow && p.lane == 0u) { index[p.row] = all.note; }
}

@compute @workgroup_size(GROUP)
fn argOf(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let inner = params.inner;
  let base = p.row / inner * params.length * inner + p.row % inner;
  let from_ = p.row / inner * params.parts * inner + p.row % inner;
  let isRow = p.row < params.outer * inner;
  let none = Acc(vec4<Out>(Out(x[base + found[from_] * inner])), found[from_]);
  var own = none;
  for (var part = p.lane; part < select(0u, params.parts, isRow); part += hop()) {
    let l = found[from_ + part * inner];
    own = best(own, Acc(vec4<Out>(Out(x[base + l * inner])), l));
  }
  let all = across(p, own, none);
  if (isRow && p.lane == 0u) { index[p.row] = all.note; }
}
