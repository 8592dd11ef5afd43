// Norms of segments of a flat array, in two dispatches whatever their number: |w x| of order 2 or 1, or the largest |w
// x|.
//   partial  part k folds the quads of x from parts[2k] to before parts[2k + 1]
//   combine  segment s folds its parts ends[s] .. ends[s + 1] - 1 and takes the root
// Folds by lanes in a fixed tree (lib/lanes.wgsl), so results repeat bit for bit. Grid (count): parts, then segments.
// use lib/lanes.wgsl
// use lib/nan.wgsl

struct Params { count: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parts: array<u32>;
@group(0) @binding(2) var<storage, read> ends: array<u32>;
@group(0) @binding(3) var<storage, read> x: array<vec4f>;
@group(0) @binding(4) var<storage, read> w: array<vec4f>;
@group(0) @binding(5) var<storage, read> sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

fn weighted(x: vec4f, w: vec4f) -> vec4f { return x; } // variant
fn power(v: vec4f) -> vec4f { return v * v; } // variant
fn fold4(acc: vec4f, v: vec4f) -> vec4f { return acc + v; } // variant
fn fold(acc: f32, v: f32) -> f32 { return acc + v; } // variant
fn root(v: f32) -> f32 { return sqrt(v); } // variant

struct Acc { v: vec4f }

fn join(a: Acc, b: Acc) -> Acc { return Acc(fold4(a.v, b.v)); }
fn folded(v: vec4f) -> f32 { return fold(fold(v.x, v.y), fold(v.z, v.w)); }

fn quad(i: u32) -> vec4f { return power(weighted(x[i], w[i])); }

@compute @workgroup_size(GROUP)
fn partial(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let isPart = p.row < params.count;
  let first = parts[2u * p.row];
  let n = select(0u, 4u * (parts[2u * p.row + 1u] - first), isPart);
  var all = Acc();
  var a = vec4f();
  var b = vec4f();
  // A whole quad, or none.
  if (restOf(p, n) < restEnd(p, n)) { a = quad(first + restOf(p, n) / 4u); }
  var part = firstPart(p);
  loop {
    let s = spanOf(p, part, n);
    var l = s.x;
    if (l < s.y) {
      loop {
        a = fold4(a, quad(first + l / 4u));
        if (TAKES == 2u) { b = fold4(b, quad(first + l / 4u + 1u)); }
        l += 8u;
        if (l >= s.y) { break; }
      }
    }
    all = addPart(all, Acc(a), Acc(b));
    a = vec4f();
    b = vec4f();
    part += 1u;
    if (part >= endPart(p)) { break; }
  }
  all = across(p, all, Acc());
  if (isPart && p.lane == 0u) { y[p.row] = folded(all.v); }
}

// Sums from l on, 0 in place of those from `end` on.
fn fewSums(first: u32, l: u32, end: u32) -> vec4f {
  let at = first + l;
  let v = vec4f(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u]);
  return select(vec4f(), v, vec4u(l, l + 1u, l + 2u, l + 3u) < vec4u(end));
}

@compute @workgroup_size(GROUP)
fn combine(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let isSegment = p.row < params.count;
  let first = ends[p.row];
  let n = select(0u, ends[p.row + 1u] - first, isSegment);
  var all = Acc();
  var a = fewSums(first, restOf(p, n), restEnd(p, n));
  var b = vec4f();
  if (TAKES == 2u) { b = fewSums(first, restOf(p, n) + 4u, n); }
  var part = firstPart(p);
  loop {
    let s = spanOf(p, part, n);
    var l = s.x;
    if (l < s.y) {
      loop {
        a = fold4(a, fewSums(first, l, n));
        if (TAKES == 2u) { b = fold4(b, fewSums(first, l + 4u, n)); }
        l += 8u;
        if (l >= s.y) { break; }
      }
    }
    all = addPart(all, Acc(a), Acc(b));
    a = vec4f();
    b = vec4f();
    part += 1u;
    if (part >= endPart(p)) { break; }
  }
  all = across(p, all, Acc());
  if (isSegment && p.lane == 0u) { y[p.row] = root(folded(all.v)); }
}
