// Variance over the middle axis of x, (outer, length, inner), in `parts` pieces of `chunk` elements.
//   pieces   y[o, part, i] = (mean of x - k, sum of (x - k - mean)^2) over the piece, k = x[o, 0, i]
//            y[o, i] = finish(that sum / divisor), where there is one piece                                 LAST = 1
//   merge    y[o, i] = finish(sum of squares about the common mean / divisor), of the pieces' moments in x by the rule
//            of Chan, Golub and LeVeque (1983): sum over parts of m2 + n (mean - common mean)^2
// Values are taken relative to k, so that a mean far from zero costs no digits; what rounding leaves in the sum s of
// deviations goes off again as s^2 / n. Pieces are summed by lanes in a fixed tree (lib/lanes.wgsl), those of a single
// part in plain order, and so are the moments of a row. Rows: outer * parts * inner, of merge outer * inner.
// use lib/lanes.wgsl
// use lib/nan.wgsl

override LAST: u32 = 0u;

struct Params { outer: u32, length: u32, inner: u32, chunk: u32, parts: u32, divisor: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn finish(v: f32) -> f32 { return v; } // variant

struct Acc { s: vec4f, q: vec4f }

fn join(a: Acc, b: Acc) -> Acc { return Acc(a.s + b.s, a.q + b.q); }

// n elements of a row, or moments of pieces; k: what is taken off each element.
struct Row { base: u32, n: u32, k: f32 }

// Two terms of element l: (x - k, 0) and with the mean d = x - k - mean, (d, d^2); of piece l with n elements (n
// mean_l, 0) and (n d, m2 + n d^2), d = mean_l - mean.
fn term(kind: u32, r: Row, l: u32, mean: f32) -> vec2f {
  let at = r.base + l * params.inner;
  if (kind < 2u) {
    let d = x[at] - r.k - mean;
    return vec2f(d, select(0.0, d * d, kind == 1u));
  }
  let last = f32(params.length - (params.parts - 1u) * params.chunk);
  let n = select(f32(params.chunk), last, l + 1u == params.parts);
  let d = x[2u * at] - mean;
  return vec2f(n * d, select(0.0, x[2u * at + 1u] + n * d * d, kind == 3u));
}

fn terms(kind: u32, r: Row, l: u32, mean: f32) -> Acc {
  let a = term(kind, r, l, mean);
  let b = term(kind, r, l + 1u, mean);
  let c = term(kind, r, l + 2u, mean);
  let d = term(kind, r, l + 3u, mean);
  return Acc(vec4f(a.x, b.x, c.x, d.x), vec4f(a.y, b.y, c.y, d.y));
}

fn fewTerms(kind: u32, r: Row, l: u32, end: u32, mean: f32) -> Acc {
  if (l >= end) { return Acc(); }
  let found = terms(kind, r, l, mean);
  let isThere = vec4u(l, l + 1u, l + 2u, l + 3u) < vec4u(end);
  return Acc(select(vec4f(), found.s, isThere), select(vec4f(), found.q, isThere));
}

fn sums(p: Place, kind: u32, r: Row, mean: f32) -> vec2f {
  if (PARTS == 1u) {
    var sum = vec2f();
    for (var l = 0u; l < r.n; l++) { sum += term(kind, r, l, mean); }
    return sum;
  }
  var all = Acc();
  var a = fewTerms(kind, r, restOf(p, r.n), restEnd(p, r.n), mean);
  var b = Acc();
  if (TAKES == 2u) { b = fewTerms(kind, r, restOf(p, r.n) + 4u, r.n, mean); }
  var part = firstPart(p);
  loop {
    let s = spanOf(p, part, r.n);
    var l = s.x;
    if (l < s.y) {
      loop {
        a = join(a, terms(kind, r, l, mean));
        if (TAKES == 2u) { b = join(b, terms(kind, r, l + 4u, mean)); }
        l += 8u;
        if (l >= s.y) { break; }
      }
    }
    all = addPart(all, a, b);
    a = Acc();
    b = Acc();
    part += 1u;
    if (part >= endPart(p)) { break; }
  }
  all = across(p, all, Acc());
  return vec2f((all.s.x + all.s.y) + (all.s.z + all.s.w), (all.q.x + all.q.y) + (all.q.z + all.q.w));
}

@compute @workgroup_size(GROUP)
fn pieces(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let begin = p.row / params.inner % params.parts * params.chunk;
  let start = p.row / params.inner / params.parts * params.length * params.inner + p.row % params.inner;
  let isRow = p.row < params.outer * params.parts * params.inner;
  let r = Row(start + begin * params.inner, select(0u, min(params.chunk, params.length - begin), isRow), x[start]);
  let n = f32(r.n);
  let mean = sums(p, 0u, r, 0.0).x / n;
  let s = sums(p, 1u, r, mean);
  if (!isRow || p.lane > 0u) { return; }
  let m2 = s.y - s.x * s.x / n;
  if (LAST == 1u) {
    y[p.row] = finish(maxOf(m2, 0.0) / params.divisor);
    return;
  }
  y[2u * p.row] = mean + s.x / n;
  y[2u * p.row + 1u] = m2;
}

@compute @workgroup_size(GROUP)
fn merge(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let isRow = p.row < params.outer * params.inner;
  let base = p.row / params.inner * params.parts * params.inner + p.row % params.inner;
  let r = Row(base, select(0u, params.parts, isRow), 0.0);
  let n = f32(params.length);
  let mean = sums(p, 2u, r, 0.0).x / n;
  let s = sums(p, 3u, r, mean);
  if (isRow && p.lane == 0u) { y[p.row] = finish(maxOf(s.y - s.x * s.x / n, 0.0) / params.divisor); }
}
