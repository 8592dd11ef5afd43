// Softmax and log-softmax over the middle axis of x: (outer, length, inner).
//   forward          y = exp(x - m) / sum exp(x - m), m = max x
//   forwardLog       y = x - m - log sum exp(x - m)
//   backward         dx = y (dy - sum dy y)
//   backwardLog      dx = dy - exp(y) sum dy
// A row with a NaN or with +Infinity, or of -Infinity throughout, gives NaN throughout, as PyTorch's.
// A row is summed by lanes in a fixed tree (lib/lanes.wgsl), one of a single part in plain order. Rows: outer * inner.
// Few long rows are cut into `pieces` of `chunk` elements with a tree each, whose sums are added in order. A processor
// goes through all of a row; on a GPU a piece is a row of lanes, piece by piece for all rows, and there is
//   tops   y[piece, row] = the largest element
//   sums   y[piece, row] = (m, the sum of kind KIND), given those of `tops` for kind 0
// before an entry above, which finds in `given` what `sums` gave: GIVEN = 1.
// use lib/lanes.wgsl
// use lib/nan.wgsl

override GIVEN: u32 = 0u;
override KIND: u32 = 0u;

struct Params { outer: u32, length: u32, inner: u32, pieces: u32, chunk: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> given: array<f32>;

struct Acc { sum: vec4f, top: f32 }

fn join(a: Acc, b: Acc) -> Acc { return Acc(a.sum + b.sum, max(a.top, b.top)); }

// Elements begin .. end - 1 of a row that starts at `base`: those of a place. None past the last row.
struct Piece { row: u32, base: u32, begin: u32, end: u32 }

fn pieceOf(p: Place) -> Piece {
  let rows = params.outer * params.inner;
  var row = p.row;
  var begin = 0u;
  var end = select(0u, params.length, row < rows);
  if (TAKES == 1u) {
    let piece = row / rows;
    row -= piece * rows;
    begin = piece * params.chunk;
    end = select(begin, min(begin + params.chunk, params.length), piece < params.pieces);
  }
  let outer = row / params.inner;
  return Piece(row, outer * params.length * params.inner + row - outer * params.inner, begin, end);
}

fn fourOfX(at: u32) -> vec4f {
  let i = params.inner;
  return vec4f(x[at], x[at + i], x[at + 2u * i], x[at + 3u * i]);
}

fn fourOfDy(at: u32) -> vec4f {
  let i = params.inner;
  return vec4f(dy[at], dy[at + i], dy[at + 2u * i], dy[at + 3u * i]);
}

// Four terms: 0 of sum exp(x - m), 1 of sum dy x, 2 of sum dy. exp may pass over NaN.
fn terms(kind: u32, at: u32, m: f32) -> vec4f {
  if (kind == 2u) { return fourOfDy(at); }
  if (kind == 1u) { return fourOfDy(at) * fourOfX(at); }
  let t = fourOfX(at) - m;
  return orNan4(exp(t), t);
}

fn fewTerms(kind: u32, base: u32, l: u32, end: u32, m: f32) -> vec4f {
  if (l >= end) { return vec4f(); }
  return select(vec4f(), terms(kind, base + l * params.inner, m), vec4u(l, l + 1u, l + 2u, l + 3u) < vec4u(end));
}

// For a row of a single part. The sum of the arguments of exp, none of them above 0, is NaN exactly where one of them
// is.
fn plainSum(kind: u32, base: u32, n: u32, m: f32) -> f32 {
  var sum = 0.0;
  var arguments = 0.0;
  var at = base;
  var l = 0u;
  // Idle rows too: what they sum is not used. See lib/lanes.wgsl on loops.
  loop {
    if (kind == 2u) {
      sum += dy[at];
    } else if (kind == 1u) {
      sum += dy[at] * x[at];
    } else {
      let t = x[at] - m;
      arguments += t;
      sum += exp(t);
    }
    at += params.inner;
    l += 1u;
    if (l >= n) { break; }
  }
  return orNan(sum, arguments);
}

fn apart(p: Place, kind: u32, e: Piece, m: f32) -> f32 {
  let base = e.base + e.begin * params.inner;
  let n = max(e.end, e.begin) - e.begin;
  if (PARTS == 1u) { return plainSum(kind, base, n, m); }
  let none = Acc(vec4f(), m);
  var all = none;
  var a = fewTerms(kind, base, restOf(p, n), restEnd(p, n), m);
  var b = vec4f();
  if (TAKES == 2u) { b = fewTerms(kind, base, restOf(p, n) + 4u, n, m); }
  var part = firstPart(p);
  loop {
    let s = spanOf(p, part, n);
    var l = s.x;
    if (l < s.y) {
      loop {
        let at = base + l * params.inner;
        a += terms(kind, at, m);
        if (TAKES == 2u) { b += terms(kind, at + 4u * params.inner, m); }
        l += 8u;
        if (l >= s.y) { break; }
      }
    }
    all = addPart(all, Acc(a, m), Acc(b, m));
    a = vec4f();
    b = vec4f();
    part += 1u;
    if (part >= endPart(p)) { break; }
  }
  all = across(p, all, none);
  return (all.sum.x + all.sum.y) + (all.sum.z + all.sum.w);
}

fn sumOf(p: Place, k: u32, e: Piece, m: f32) -> f32 { return apart(p, k, e, m); } // software return whole(p, k, e, m);

fn whole(p: Place, kind: u32, e: Piece, m: f32) -> f32 {
  var sum = apart(p, kind, Piece(e.row, e.base, 0u, min(params.chunk, e.end)), m);
  // Shorter rows are one piece.
  if (PARTS < 64u) { return sum; }
  for (var k = 1u; k < params.pieces; k++) {
    let begin = k * params.chunk;
    sum += apart(p, kind, Piece(e.row, e.base, begin, min(begin + params.chunk, e.end)), m);
  }
  return sum;
}

// The largest element; anything where one is NaN.
fn topOf(p: Place, e: Piece) -> f32 {
  let base = e.base + e.begin * params.inner;
  var m = x[base];
  let none = Acc(vec4f(), m);
  let step = hop() * params.inner;
  var at = base + afterFirst(p) * params.inner;
  for (var l = e.begin + afterFirst(p); l < e.end; l += hop()) {
    m = max(m, x[at]);
    at += step;
  }
  return across(p, Acc(vec4f(), m), none).top;
}

// What `sums` gave for a row: m, and the sum of all pieces.
fn givenOf(row: u32) -> vec2f {
  let rows = params.outer * params.inner;
  var sum = given[2u * row + 1u];
  for (var k = 1u; k < params.pieces; k++) { sum += given[2u * (k * rows + row) + 1u]; }
  return vec2f(given[2u * row], sum);
}

// The largest element and the sum of exp(x - it).
fn normalizer(p: Place, e: Piece) -> vec2f {
  if (GIVEN == 1u) { return givenOf(e.row); }
  let m = topOf(p, e);
  return vec2f(m, sumOf(p, 0u, e, m));
}

fn foundSum(p: Place, kind: u32, e: Piece) -> f32 {
  if (GIVEN == 1u) { return givenOf(e.row).y; }
  return sumOf(p, kind, e, 0.0);
}

@compute @workgroup_size(GROUP)
fn tops(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let e = pieceOf(p);
  let m = topOf(p, e);
  if (p.lane == 0u && e.begin < e.end) { y[p.row] = m; }
}

@compute @workgroup_size(GROUP)
fn sums(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let e = pieceOf(p);
  var m = 0.0;
  if (KIND == 0u) {
    m = given[e.row];
    for (var k = 1u; k < params.pieces; k++) { m = max(m, given[k * params.outer * params.inner + e.row]); }
  }
  let sum = apart(p, KIND, e, m);
  if (p.lane > 0u || e.begin >= e.end) { return; }
  y[2u * p.row] = m;
  y[2u * p.row + 1u] = sum;
}

@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let e = pieceOf(p);
  let n = normalizer(p, e);
  let step = hop() * params.inner;
  var l = e.begin + p.lane;
  var at = e.base + l * params.inner;
  if (l < e.end) {
    loop {
      y[at] = exp(x[at] - n.x) / n.y;
      at += step;
      l += hop();
      if (l >= e.end) { break; }
    }
  }
}

@compute @workgroup_size(GROUP)
fn forwardLog(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let e = pieceOf(p);
  let n = normalizer(p, e);
  let shift = orNan(log(n.y), n.y);
  let step = hop() * params.inner;
  var l = e.begin + p.lane;
  var at = e.base + l * params.inner;
  if (l < e.end) {
    loop {
      y[at] = x[at] - n.x - shift;
      at += step;
      l += hop();
      if (l >= e.end) { break; }
    }
  }
}

// x holds the forward result.
@compute @workgroup_size(GROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let e = pieceOf(p);
  let sum = foundSum(p, 1u, e);
  let step = hop() * params.inner;
  var l = e.begin + p.lane;
  var at = e.base + l * params.inner;
  if (l < e.end) {
    loop {
      y[at] = x[at] * (dy[at] - sum);
      at += step;
      l += hop();
      if (l >= e.end) { break; }
    }
  }
}

@compute @workgroup_size(GROUP)
fn backwardLog(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let e = pieceOf(p);
  let sum = orNan(foundSum(p, 2u, e), x[e.base]);
  let step = hop() * params.inner;
  var l = e.begin + p.lane;
  var at = e.base + l * params.inner;
  if (l < e.end) {
    loop {
      y[at] = dy[at] - exp(x[at]) * sum;
      at += step;
      l += hop();
      if (l >= e.end) { break; }
    }
  }
}
