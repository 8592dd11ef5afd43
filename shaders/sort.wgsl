// Stable order along the middle axis of x, (outer, length, inner), and the best k of it. Elements move as bits; `key`
// maps them to u32 that order as they do, equal keys by place. No barrier: every element computes where it belongs.
//   rank   each run of `width` elements is ordered by counting the better ones; the best `keep` of a run stay
//   merge  two neighbouring sorted runs of `width` become one: the place of an element is its place in its own run plus
//   the
//          number of better ones in the other, found by bisection; the best `keep` stay. The last run may be shorter.
// Runs that stay lie behind each other: made holds (outer, next, inner). indexOf = the place in the first x, FIRST: its
// own.
//   put    dx[o, index[o, j, i], i] = dy[o, j, i] for different indices; dx (outer, length, inner) was cleared
//   take   y[o, j, i] = x[o, index[o, j, i], i]; next = the number of j
// One invocation an element of x (rank, merge), of dy (put) or of y (take); grid (its size).
// use lib/index.wgsl

override FIRST: u32 = 0u;
override DESCENDING: u32 = 0u;

struct Params { outer: u32, length: u32, inner: u32, width: u32, keep: u32, next: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> indexOf: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;
@group(0) @binding(4) var<storage, read_write> index: array<u32>;

fn ordered(bits: u32) -> u32 { return bits; } // variant

fn key(bits: u32) -> u32 {
  let k = ordered(bits);
  return select(k, ~k, DESCENDING == 1u);
}

// Bits of an f32: negative values in reverse, -0 as 0, every NaN above all numbers.
fn orderedFloat(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return 0xffffffffu; }
  return select(0x80000000u + magnitude, 0x80000000u - magnitude, bits > 0x7fffffffu);
}

fn store(at: u32, l: u32, position: u32) {
  let row = at / params.inner / params.length;
  let to = (row * params.next + position) * params.inner + at % params.inner;
  y[to] = x[at];
  index[to] = l;
  if (FIRST == 0u) { index[to] = indexOf[at]; }
}

@compute @workgroup_size(64)
fn rank(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.length * params.inner) { return; }
  let l = at / params.inner % params.length;
  let base = at - l * params.inner;
  let run = l / params.width;
  let end = min((run + 1u) * params.width, params.length);
  let own = key(x[at]);
  var position = 0u;
  for (var m = run * params.width; m < l; m++) { position += select(0u, 1u, key(x[base + m * params.inner]) <= own); }
  for (var m = l + 1u; m < end; m++) { position += select(0u, 1u, key(x[base + m * params.inner]) < own); }
  if (position < params.keep) { store(at, l, run * params.keep + position); }
}

@compute @workgroup_size(64)
fn merge(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.length * params.inner) { return; }
  let l = at / params.inner % params.length;
  let base = at - l * params.inner;
  let pair = l / (2u * params.width);
  let start = pair * 2u * params.width;
  let middle = min(start + params.width, params.length);
  let end = min(middle + params.width, params.length);
  let isLeft = l < middle;
  let own = key(x[at]);
  // Bisection for the first of the other run that is not better; an equal one is better when it is on the left.
  let from_ = select(start, middle, isLeft);
  var low = from_;
  var high = select(middle, end, isLeft);
  while (low < high) {
    let m = (low + high) / 2u;
    let other = key(x[base + m * params.inner]);
    if (other < own || (other == own && !isLeft)) { low = m + 1u; } else { high = m; }
  }
  let position = low - from_ + l - select(middle, start, isLeft);
  if (position < params.keep) { store(at, l, pair * params.keep + position); }
}

@compute @workgroup_size(64)
fn put(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.next * params.inner) { return; }
  let row = at / params.inner / params.next;
  y[(row * params.length + indexOf[at]) * params.inner + at % params.inner] = x[at];
}

@compute @workgroup_size(64)
fn take(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.next * params.inner) { return; }
  let row = at / params.inner / params.next;
  y[at] = x[(row * params.length + indexOf[at]) * params.inner + at % params.inner];
}
