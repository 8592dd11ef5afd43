// log sum exp over the middle axis of x, (outer, length, inner), in `parts` pieces of `chunk` elements:
//   y[o, part, i] = (m, sum of exp(x - m)) over the piece, m its largest element
//   y[o, i] = m + log(sum of exp(x - m)), where there is one piece                                          LAST = 1
// TERMS = 1: x holds such pairs (m_l, s_l), and sums are of s_l exp(m_l - m), m the largest of the m_l.
// A row whose largest element is beyond +-3e38 is that element: the logarithm is below its last digit, and m - m of an
// infinity would be NaN; that of a row with a NaN is NaN. Pieces are summed by lanes in a fixed tree (lib/lanes.wgsl),
// those of a single part in plain order. Rows: outer * parts * inner.
// use lib/lanes.wgsl
// use lib/nan.wgsl

override TERMS: u32 = 0u;
override LAST: u32 = 0u;

struct Params { outer: u32, length: u32, inner: u32, chunk: u32, parts: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// most: the largest magnitude as bits, by which NaN is found.
struct Acc { sum: vec4f, top: f32, most: u32 }

fn join(a: Acc, b: Acc) -> Acc { return Acc(a.sum + b.sum, max(a.top, b.top), max(a.most, b.most)); }

// Element l of a row.
fn topAt(base: u32, l: u32) -> f32 { return x[(base + l * params.inner) * (1u + TERMS)]; }

// exp(v - m) for v <= m; exp(-104) is 0 in f32, and -Infinity stays out of exp
fn expOf(v: f32, m: f32) -> f32 {
  return exp(max(v - clamp(m, -3.4e38, 3.4e38), -150.0));
}

fn term(base: u32, l: u32, m: f32) -> f32 {
  let e = expOf(topAt(base, l), m);
  if (TERMS == 1u) { return x[2u * (base + l * params.inner) + 1u] * e; }
  return e;
}

fn terms(base: u32, l: u32, m: f32) -> vec4f {
  return vec4f(term(base, l, m), term(base, l + 1u, m), term(base, l + 2u, m), term(base, l + 3u, m));
}

fn fewTerms(base: u32, l: u32, end: u32, m: f32) -> vec4f {
  if (l >= end) { return vec4f(); }
  return select(vec4f(), terms(base, l, m), vec4u(l, l + 1u, l + 2u, l + 3u) < vec4u(end));
}

fn sumOf(p: Place, base: u32, n: u32, m: f32) -> f32 {
  if (PARTS == 1u) {
    var sum = 0.0;
    for (var l = 0u; l < n; l++) { sum += term(base, l, m); }
    return sum;
  }
  let none = Acc(vec4f(), m, 0u);
  var all = none;
  var a = fewTerms(base, restOf(p, n), restEnd(p, n), m);
  var b = vec4f();
  if (TAKES == 2u) { b = fewTerms(base, restOf(p, n) + 4u, n, m); }
  var part = firstPart(p);
  loop {
    let s = spanOf(p, part, n);
    var l = s.x;
    if (l < s.y) {
      loop {
        a += terms(base, l, m);
        if (TAKES == 2u) { b += terms(base, l + 4u, m); }
        l += 8u;
        if (l >= s.y) { break; }
      }
    }
    all = addPart(all, Acc(a, m, 0u), Acc(b, m, 0u));
    a = vec4f();
    b = vec4f();
    part += 1u;
    if (part >= endPart(p)) { break; }
  }
  all = across(p, all, none);
  return (all.sum.x + all.sum.y) + (all.sum.z + all.sum.w);
}

@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let begin = p.row / params.inner % params.parts * params.chunk;
  let base = (p.row / params.inner / params.parts * params.length + begin) * params.inner + p.row % params.inner;
  let isRow = p.row < params.outer * params.parts * params.inner;
  let n = select(0u, min(params.chunk, params.length - begin), isRow);
  var top = topAt(base, 0u);
  var most = 0u;
  let none = Acc(vec4f(), top, 0u);
  for (var l = p.lane; l < n; l += hop()) {
    let v = topAt(base, l);
    top = max(top, v);
    most = max(most, bitcast<u32>(v) & 0x7fffffffu);
  }
  let all = across(p, Acc(vec4f(), top, most), none);
  let sum = sumOf(p, base, n, all.top);
  if (!isRow || p.lane > 0u) { return; }
  let m = orNan(all.top, bitcast<f32>(all.most));
  if (LAST == 0u) {
    y[2u * p.row] = m;
    y[2u * p.row + 1u] = sum;
    return;
  }
  y[p.row] = m;
  if (abs(m) < 3.0e38 && !isNan(m)) { y[p.row] = m + log(sum); }
}
