// Picking by index along the middle axis of x: (outer, length, inner), and its transpose. Elements are copied bit by
// bit.
//   pick     y[o, j, i] = x[o, k(o, j, i), i]                               y: (outer, count, inner)
//   scatter  sums[o, l, i] = base[o, l, i] + sum over j with k(o, j, i) = l of from_[o, j, i]     (no base: BASE = 0)
//   columns  the same into sums that hold the base: an invocation adds the terms of its column (o, i) one by one
//   runs     the same into sums that hold the base, by an index in order: an invocation adds the terms of one l
// k is index[j], or with `each` index[o, j, i]. All three forms of scatter start with the base and add the terms in
// index order, so their bits are the same, and nothing is added atomically. An index, i32 or u32, outside 0..length-1
// gives zero bits and adds nothing.
// Of runs, index and order are what sorting the index stably gives: its values, and the j of each. The first of equal
// values does the work of all; the others return.
// One invocation per element of the result (pick, scatter), column (columns) or element of from_ (runs).
// use lib/index.wgsl

override BASE: u32 = 1u;

struct Params { outer: u32, length: u32, inner: u32, count: u32, each: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read> base: array<f32>;
@group(0) @binding(4) var<storage, read> from_: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<u32>;
@group(0) @binding(6) var<storage, read_write> sums: array<f32>;
@group(0) @binding(7) var<storage, read> order: array<u32>;

// Place of an element and of its index: (o, j, i) of `at`, in axes with n elements in the middle.
struct Place { o: u32, j: u32, i: u32 }

fn placeOf(at: u32, n: u32) -> Place {
  let row = at / params.inner;
  let o = row / n;
  return Place(o, row - o * n, at - row * params.inner);
}

@compute @workgroup_size(64)
fn pick(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.count * params.inner) { return; }
  let p = placeOf(at, params.count);
  let k = index[select(p.j, at, params.each == 1u)];
  let inside = k < params.length;
  y[at] = select(0u, x[(p.o * params.length + select(0u, k, inside)) * params.inner + p.i], inside);
}

@compute @workgroup_size(64)
fn scatter(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.length * params.inner) { return; }
  let p = placeOf(at, params.length);
  var place = p.o * params.count * params.inner + p.i;
  var k = select(0u, place, params.each == 1u);
  let step = select(1u, params.inner, params.each == 1u);
  var sum = 0.0;
  if (BASE == 1u) { sum = base[at]; }
  for (var j = 0u; j < params.count; j++) {
    if (index[k] == p.j) { sum += from_[place]; }
    place += params.inner;
    k += step;
  }
  sums[at] = sum;
}

@compute @workgroup_size(64)
fn columns(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.inner) { return; }
  let p = placeOf(at, 1u);
  let column = p.o * params.length * params.inner + p.i;
  var place = p.o * params.count * params.inner + p.i;
  var k = select(0u, place, params.each == 1u);
  let step = select(1u, params.inner, params.each == 1u);
  for (var j = 0u; j < params.count; j++) {
    let l = index[k];
    if (l < params.length) { sums[column + l * params.inner] += from_[place]; }
    place += params.inner;
    k += step;
  }
}

@compute @workgroup_size(64)
fn runs(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.count * params.inner) { return; }
  let p = placeOf(at, params.count);
  var k = select(p.j, at, params.each == 1u);
  let step = select(1u, params.inner, params.each == 1u);
  let l = index[k];
  if (l >= params.length || (p.j > 0u && index[k - step] == l)) { return; }
  let row = p.o * params.count;
  let to = (p.o * params.length + l) * params.inner + p.i;
  var sum = sums[to];
  for (var j = p.j; j < params.count && index[k] == l; j++) {
    sum += from_[(row + order[k]) * params.inner + p.i];
    k += step;
  }
  sums[to] = sum;
}
