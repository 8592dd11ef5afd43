// Stable order along the middle axis of x, (outer, length, inner), and the best k of it. Elements move as bits; `key`
// maps them to u32 that order as they do, equal keys by place.
//   rank   each run of `width` elements is ordered by counting the better ones; the best `keep` of a run stay
//   runs   the same for runs of RUN elements, by a bitonic network in workgroup memory
//   merge  WAYS (a power of 2) neighbouring sorted runs of `width` become one: the place of an element is its place in
//          its own run plus the number of better ones in the others, found by bisection; the best `keep` stay. The last
//          run may be shorter.
// Runs that stay lie one after the other: y holds (outer, next, inner). indexOf = the place in the first x, FIRST: its
// own.
//   put    dx[o, index[o, j, i], i] = dy[o, j, i] for different indices; dx (outer, length, inner) was cleared
//   take   y[o, j, i] = x[o, index[o, j, i], i]; next = the number of j
// One invocation per element of x (rank, merge), of dy (put) or of y (take), grid (its size); runs: a workgroup per
// run.
// use lib/index.wgsl

override FIRST: u32 = 0u;
override DESCENDING: u32 = 0u;
override WAYS: u32 = 2u;
const RUN = 1024u; // variant

struct Params { outer: u32, length: u32, inner: u32, width: u32, keep: u32, next: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> indexOf: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;
@group(0) @binding(4) var<storage, read_write> index: array<u32>;

var<workgroup> keys: array<u32, RUN>;
var<workgroup> places: array<u32, RUN>;

fn ordered(bits: u32) -> u32 { return bits; } // variant

fn key(bits: u32) -> u32 { return ordered(bits) ^ (0u - DESCENDING); }

// Bits of an f32: negative values in reverse, -0 as 0, every NaN above all numbers.
fn orderedFloat(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return 0xffffffffu; }
  return select(0x80000000u + magnitude, 0x80000000u - magnitude, bits > 0x7fffffffu);
}

// An element: row o, place l along the axis, and where its row begins.
struct Place { o: u32, l: u32, i: u32, base: u32 }

fn placeOf(at: u32, n: u32) -> Place {
  let row = at / params.inner;
  let o = row / n;
  let i = at - row * params.inner;
  return Place(o, row - o * n, i, o * params.length * params.inner + i);
}

// The element at `from_`, the l-th of its row, to a place of a row that stays.
fn store(from_: u32, l: u32, p: Place, position: u32) {
  let to = (p.o * params.next + position) * params.inner + p.i;
  y[to] = x[from_];
  index[to] = l;
  if (FIRST == 0u) { index[to] = indexOf[from_]; }
}

@compute @workgroup_size(64)
fn rank(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.length * params.inner) { return; }
  let p = placeOf(at, params.length);
  let run = p.l / params.width;
  let begin = run * params.width;
  let end = min(begin + params.width, params.length);
  let own = key(x[at]);
  var position = 0u;
  var other = p.base + begin * params.inner;
  for (var m = begin; m < p.l; m++) {
    position += select(0u, 1u, key(x[other]) <= own);
    other += params.inner;
  }
  other += params.inner;
  for (var m = p.l + 1u; m < end; m++) {
    position += select(0u, 1u, key(x[other]) < own);
    other += params.inner;
  }
  if (position < params.keep) { store(at, p.l, p, run * params.keep + position); }
}

@compute @workgroup_size(256)
fn runs(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let each = (params.length + RUN - 1u) / RUN;
  let at = linearGroup(group);
  if (at >= params.outer * each * params.inner) { return; }
  let p = placeOf(at, each);
  let start = p.l * RUN;
  let base = p.base + start * params.inner;
  let size = min(RUN, params.length - start);
  for (var n = lane; n < RUN; n += 256u) {
    let k = key(x[base + min(n, size - 1u) * params.inner]);
    keys[n] = select(0xffffffffu, k, n < size);
    places[n] = n;
  }
  workgroupBarrier();
  for (var sorted = 2u; sorted <= RUN; sorted *= 2u) {
    for (var gap = sorted / 2u; gap > 0u; gap /= 2u) {
      for (var n = lane; n < RUN / 2u; n += 256u) {
        let a = 2u * n - (n & (gap - 1u));
        let b = a + gap;
        let ka = keys[a];
        let kb = keys[b];
        let pa = places[a];
        let pb = places[b];
        if ((kb < ka || (kb == ka && pb < pa)) == ((a & sorted) == 0u)) {
          keys[a] = kb;
          keys[b] = ka;
          places[a] = pb;
          places[b] = pa;
        }
      }
      workgroupBarrier();
    }
  }
  for (var n = lane; n < min(size, params.keep); n += 256u) {
    let from_ = base + places[n] * params.inner;
    let to = (p.o * params.next + p.l * params.keep + n) * params.inner + p.i;
    y[to] = x[from_];
    index[to] = start + places[n];
    if (FIRST == 0u) { index[to] = indexOf[from_]; }
  }
}

@compute @workgroup_size(64)
fn merge(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.length * params.inner) { return; }
  let p = placeOf(at, params.length);
  let run = p.l / params.width;
  let made = run / WAYS;
  let own = key(x[at]);
  var position = p.l - run * params.width;
  for (var w = 1u; w < WAYS; w++) {
    let other = run ^ w;
    // Bisection for the first of the other run that is not better; an equal one is better when it is on the left.
    let begin = min(other * params.width, params.length);
    var low = begin;
    var high = min(begin + params.width, params.length);
    while (low < high) {
      let m = (low + high) / 2u;
      let k = key(x[p.base + m * params.inner]);
      if (k < own || (k == own && other < run)) { low = m + 1u; } else { high = m; }
    }
    position += low - begin;
  }
  if (position < params.keep) { store(at, p.l, p, made * params.keep + position); }
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
