// Adjusted cross-entropy of logits z: (rows, classes) with labels y:
//   a_c = s (scale_c z_c + shift_c - margin_c [c = y]),  nll = logsumexp(a) - a_y
//   value = weight_y sampleWeight ((1 - eps) nll + eps / classes * sum_c (weight_c / weight_y) (logsumexp(a) - a_c))
// classTable holds scale, shift, margin and weight, four rows of `classes`. A row whose label is the ignored one, or
// lies outside 0..classes-1, has value and gradient zero; the second kind is counted in `bad`. A term whose factor is 0
// counts for nothing, whatever it is; NaN and +Infinity among the logits of any other row give NaN.
// A row is summed by lanes in a fixed tree (lib/lanes.wgsl), one of a single part in plain order; grid (rows). Few long
// rows are cut into `pieces` of `chunk` classes with a tree each, whose sums are added in order. A processor goes
// through all of a row; on a GPU a piece is a row of lanes, piece by piece for all rows, and there is
//   tops   values[piece, row] = the largest a
//   sums   values[piece, row] = (m, the sums of `sumsOf`), given those of `tops`
// before `forward` and `backward`, which find in `given` what `sums` gave: GIVEN = 1.
// `reduce` has a row of all rows; very long ones are summed in parts first.
// use lib/index.wgsl
// use lib/lanes.wgsl
// use lib/nan.wgsl
// use lib/times.wgsl

override SAMPLE_WEIGHT: u32 = 0u;
// 0 none, 1 mean over rows, 2 sum, 3 sum of values / sum of weights
override REDUCTION: u32 = 1u;

override GIVEN: u32 = 0u;

struct Params { rows: u32, classes: u32, ignore: i32, s: f32, smoothing: f32, pieces: u32, chunk: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<i32>;
@group(0) @binding(3) var<storage, read> classTable: array<f32>;
@group(0) @binding(4) var<storage, read> sampleWeight: array<f32>;
@group(0) @binding(5) var<storage, read> dLoss: array<f32>;
@group(0) @binding(6) var<storage, read> total: array<f32>;
@group(0) @binding(7) var<storage, read_write> values: array<f32>;
@group(0) @binding(8) var<storage, read_write> bad: array<atomic<u32>>;
@group(0) @binding(9) var<storage, read_write> loss: array<f32>;
@group(0) @binding(10) var<storage, read> given: array<f32>;

fn adjusted(row: u32, c: u32, label: u32) -> f32 {
  let k = params.classes;
  let margin = select(0.0, classTable[2u * k + c], c == label);
  return params.s * (classTable[c] * z[row * k + c] + classTable[k + c] - margin);
}

fn classWeight(c: u32) -> f32 { return classTable[3u * params.classes + c]; }

// The weight that divides a weighted mean, as in PyTorch: that of the label, times that of the sample.
fn rowWeight(row: u32, label: u32) -> f32 {
  var w = classWeight(label);
  if (SAMPLE_WEIGHT == 1u) { w *= sampleWeight[row]; }
  return w;
}

// False for a row that counts for nothing.
fn counts(label: i32) -> bool {
  return label >= 0 && label < i32(params.classes) && label != params.ignore;
}

// Classes begin .. end - 1 of a row: those of a place, none past the last row. n: their number, but 0 where the row
// counts for nothing.
struct Piece { row: u32, begin: u32, end: u32, n: u32, label: u32 }

fn pieceOf(p: Place) -> Piece {
  var row = p.row;
  var begin = 0u;
  var end = select(0u, params.classes, row < params.rows);
  if (TAKES == 1u) {
    let piece = row / params.rows;
    row -= piece * params.rows;
    begin = piece * params.chunk;
    end = select(begin, min(begin + params.chunk, params.classes), piece < params.pieces);
  }
  let label = labels[row];
  return Piece(row, begin, end, select(0u, end - begin, counts(label)), u32(label));
}

// Of rows: losses, weights, and 1 for each that counts. Of classes: the terms of `sumsOf`. top: the largest a.
struct Acc { sum: vec4f, weight: vec4f, count: vec4f, top: f32 }

fn join(a: Acc, b: Acc) -> Acc { return Acc(a.sum + b.sum, a.weight + b.weight, a.count + b.count, max(a.top, b.top)); }

fn four(at: u32) -> vec4f { return vec4f(z[at], z[at + 1u], z[at + 2u], z[at + 3u]); }

// What four classes from `at` on have, for CLASSES, or four rows.
fn terms(ofClasses: bool, e: Piece, at: u32, m: f32) -> Acc {
  if (!ofClasses) { return Acc(four(at), four(params.rows + at), four(2u * params.rows + at), 0.0); }
  let c = e.begin + at;
  let a = vec4f(adjusted(e.row, c, e.label), adjusted(e.row, c + 1u, e.label), adjusted(e.row, c + 2u, e.label),
    adjusted(e.row, c + 3u, e.label)) - m;
  let w = vec4f(classWeight(c), classWeight(c + 1u), classWeight(c + 2u), classWeight(c + 3u));
  return Acc(orNan4(exp(a), a), vec4f(times(w.x, a.x), times(w.y, a.y), times(w.z, a.z), times(w.w, a.w)), w, 0.0);
}

fn fewTerms(ofClasses: bool, e: Piece, at: u32, end: u32, m: f32) -> Acc {
  if (at >= end) { return Acc(); }
  let t = terms(ofClasses, e, at, m);
  let is = vec4u(at, at + 1u, at + 2u, at + 3u) < vec4u(end);
  return Acc(select(vec4f(), t.sum, is), select(vec4f(), t.weight, is), select(vec4f(), t.count, is), 0.0);
}

fn summed(v: vec4f) -> f32 { return (v.x + v.y) + (v.z + v.w); }

fn treeSums(p: Place, ofClasses: bool, e: Piece, m: f32) -> vec3f {
  var all = Acc();
  var a = fewTerms(ofClasses, e, restOf(p, e.n), restEnd(p, e.n), m);
  var b = Acc();
  if (TAKES == 2u) { b = fewTerms(ofClasses, e, restOf(p, e.n) + 4u, e.n, m); }
  var part = firstPart(p);
  loop {
    let s = spanOf(p, part, e.n);
    var at = s.x;
    if (at < s.y) {
      loop {
        a = join(a, terms(ofClasses, e, at, m));
        if (TAKES == 2u) { b = join(b, terms(ofClasses, e, at + 4u, m)); }
        at += 8u;
        if (at >= s.y) { break; }
      }
    }
    all = addPart(all, a, b);
    a = Acc();
    b = Acc();
    part += 1u;
    if (part >= endPart(p)) { break; }
  }
  all = across(p, all, Acc());
  return vec3f(summed(all.sum), summed(all.weight), summed(all.count));
}

// Sums over classes: exp(a - m), weight (a - m), weight; and NaN if one of a is that, else 0.
fn pieceSums(p: Place, e: Piece, m: f32) -> vec4f {
  if (PARTS > 1u) {
    let found = treeSums(p, true, e, m);
    return vec4f(found, orNan(0.0, found.x));
  }
  var sum = 0.0;
  var weighted = 0.0;
  var weights = 0.0;
  var nan = 0.0;
  var c = 0u;
  // Rows that count for nothing too: what they sum is not used. See lib/lanes.wgsl on loops.
  loop {
    let a = adjusted(e.row, c, e.label) - m;
    nan = orNan(nan, a);
    sum += exp(a);
    weighted += times(classWeight(c), a);
    weights += classWeight(c);
    c += 1u;
    if (c >= e.n) { break; }
  }
  return vec4f(sum, weighted, weights, nan);
}

fn sumsOf(p: Place, e: Piece, m: f32) -> vec4f { return pieceSums(p, e, m); } // software return rowSums(p, e, m);

fn rowSums(p: Place, e: Piece, m: f32) -> vec4f {
  var s = pieceSums(p, Piece(e.row, 0u, e.end, min(params.chunk, e.n), e.label), m);
  // Shorter rows are one piece.
  if (PARTS < 64u) { return s; }
  for (var k = 1u; k < params.pieces; k++) {
    let begin = k * params.chunk;
    let n = select(0u, min(params.chunk, params.classes - begin), e.n > 0u);
    s += pieceSums(p, Piece(e.row, begin, e.end, n, e.label), m);
  }
  return s;
}

// The largest a of a piece; anything where one is NaN.
fn topOf(p: Place, e: Piece) -> f32 {
  var m = adjusted(e.row, e.begin, e.label);
  for (var c = afterFirst(p); c < e.n; c += hop()) { m = max(m, adjusted(e.row, e.begin + c, e.label)); }
  return across(p, Acc(vec4f(), vec4f(), vec4f(), m), Acc(vec4f(), vec4f(), vec4f(), m)).top;
}

struct Found { m: f32, s: vec4f }

fn givenSums(at: u32) -> vec4f { return vec4f(given[at + 1u], given[at + 2u], given[at + 3u], given[at + 4u]); }

// The largest a of a row, and its sums.
fn foundOf(p: Place, e: Piece) -> Found {
  if (GIVEN == 1u) {
    var s = givenSums(5u * e.row);
    for (var k = 1u; k < params.pieces; k++) { s += givenSums(5u * (k * params.rows + e.row)); }
    return Found(given[5u * e.row], s);
  }
  let m = topOf(p, e);
  return Found(m, sumsOf(p, e, m));
}

@compute @workgroup_size(GROUP)
fn tops(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let e = pieceOf(p);
  let m = topOf(p, e);
  if (p.lane == 0u && e.begin < e.end) { values[p.row] = m; }
}

@compute @workgroup_size(GROUP)
fn sums(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let e = pieceOf(p);
  var m = given[e.row];
  for (var k = 1u; k < params.pieces; k++) { m = max(m, given[k * params.rows + e.row]); }
  let s = pieceSums(p, e, m);
  if (p.lane > 0u || e.begin >= e.end) { return; }
  values[5u * p.row] = m;
  for (var i = 0u; i < 4u; i++) { values[5u * p.row + 1u + i] = s[i]; }
}

// values: three rows of `rows`: losses, weights, and 1 for each row that is not ignored.
@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let e = pieceOf(p);
  let f = foundOf(p, e);
  let row = e.row;
  if (p.lane > 0u || e.begin >= e.end) { return; }
  if (e.n == 0u) {
    if (labels[row] != params.ignore) { atomicAdd(&bad[0], 1u); }
    values[row] = 0.0;
    values[params.rows + row] = 0.0;
    values[2u * params.rows + row] = 0.0;
    return;
  }
  let lse = log(f.s.x);
  let nll = orNan(lse - (adjusted(row, e.label, e.label) - f.m), f.s.w);
  let hard = times((1.0 - params.smoothing) * classWeight(e.label), nll);
  let rest = orNan(f.s.z * lse - f.s.y, f.s.w);
  var value = hard + times(params.smoothing / f32(params.classes), rest);
  if (SAMPLE_WEIGHT == 1u) { value = times(sampleWeight[row], value); }
  values[row] = value;
  values[params.rows + row] = rowWeight(row, e.label);
  values[2u * params.rows + row] = 1.0;
}

// loss[0] = the reduced value, loss[1] = the factor of every row's gradient; z holds `values`, or sums of its parts.
// One row of lanes.
@compute @workgroup_size(GROUP)
fn reduce(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let all = treeSums(p, false, Piece(0u, 0u, 0u, select(0u, params.rows, p.row == 0u), 0u), 0.0);
  if (p.row > 0u || p.lane > 0u) { return; }
  var divisor = 1.0;
  if (REDUCTION == 1u) { divisor = all.z; }
  if (REDUCTION == 3u) { divisor = all.y; }
  loss[0] = select(0.0, all.x / divisor, divisor > 0.0);
  loss[1] = select(0.0, 1.0 / divisor, divisor > 0.0);
}

// dz_c = g s scale_c ((1 - eps) weight_y (p_c - [c = y]) + eps / classes (p_c sum_j weight_j - weight_c)),
// p = softmax(a), g = dLoss * sampleWeight * (the divisor of the mean, in total[1]).
@compute @workgroup_size(GROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let place = placeOf(id, t);
  let e = pieceOf(place);
  let f = foundOf(place, e);
  let row = e.row;
  let base = row * params.classes;
  if (e.n == 0u) {
    for (var c = e.begin + place.lane; c < e.end; c += hop()) { values[base + c] = 0.0; }
    return;
  }
  var g = params.s;
  if (REDUCTION == 0u) { g *= dLoss[row]; } else { g *= dLoss[0] * total[1]; }
  if (SAMPLE_WEIGHT == 1u) { g *= sampleWeight[row]; }
  let hard = (1.0 - params.smoothing) * classWeight(e.label);
  let soft = params.smoothing / f32(params.classes);
  var c = e.begin + place.lane;
  if (c < e.end) {
    loop {
      let p = orNan(exp(adjusted(row, c, e.label) - f.m) / f.s.x, f.s.w);
      let d = times(hard, p - select(0.0, 1.0, c == e.label)) + times(soft, p * f.s.z - classWeight(c));
      values[base + c] = times(g, classTable[c] * d);
      c += hop();
      if (c >= e.end) { break; }
    }
  }
}
