// Normalisation of sets of x to mean 0 and variance 1, then an affine map: batch, layer, group and instance norm.
//   x: (batch, sets, inner); set s is x[., s, .], its n = batch * inner elements
//   y = activation(gamma_j xhat + beta_j),  xhat = (x - mean_s) rstd_s,  rstd = 1 / sqrt(var + eps), var biased
//   j = s % groups * width + i / span: the set itself (batch norm), its channel (group norm), its column (layer norm)
// Backward, g = dy masked by the activation, h = gamma_j g; sums over the set:
//   dx = rstd (h - sum(h) / n - xhat sum(h xhat) / n);  dgamma_j = sum over j of g xhat;  dbeta_j = sum over j of g
// An invocation walks elements part, part + parts, ... of one set, so that neighbours read neighbours, and `combine...`
// adds the parts by lanes in a fixed tree (lib/lanes.wgsl), so results repeat bit for bit. Grid (sets * parts);
// combining, `sets` rows side by side. `whole...` does both, a workgroup a set: grid (sets * GROUP).
// use lib/index.wgsl
// use lib/lanes.wgsl
// use lib/nan.wgsl

// 1: invocations run through the sets first, for inner = 1.
override SETS_FIRST: u32 = 0u;
// 0 no affine map, 1 one gamma for a set, 2 one for an element of it
override AFFINE: u32 = 1u;
override RELU: u32 = 0u;
override CUMULATIVE: u32 = 0u;

// pitch: the number of statistic sets, the row length of `table`. hop, hopI: see `next`.
struct Params {
  batch: u32, sets: u32, inner: u32, parts: u32, hop: u32, hopI: u32,
  groups: u32, width: u32, span: u32, pitch: u32, eps: f32, momentum: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
// Rows mean and rstd.
@group(0) @binding(4) var<storage, read> table: array<f32>;
@group(0) @binding(5) var<storage, read> gamma: array<f32>;
@group(0) @binding(7) var<storage, read> givenMean: array<f32>;
@group(0) @binding(8) var<storage, read> givenVar: array<f32>;
@group(0) @binding(9) var<storage, read_write> out: array<f32>;
@group(0) @binding(10) var<storage, read_write> out2: array<f32>;
@group(0) @binding(11) var<storage, read_write> runningMean: array<f32>;
@group(0) @binding(12) var<storage, read_write> runningVar: array<f32>;
@group(0) @binding(13) var<storage, read_write> tracked: array<i32>;

struct Task { s: u32, part: u32, left: u32 }

fn task(id: u32) -> Task {
  var s = id / params.parts;
  var part = id % params.parts;
  if (SETS_FIRST == 1u) {
    s = id % params.sets;
    part = id / params.sets;
  }
  return Task(s, part, lengthOf(part));
}

// Elements of a part.
fn lengthOf(part: u32) -> u32 {
  return (params.batch * params.inner - part + params.parts - 1u) / params.parts;
}

// Position in memory, and along the inner axis, of the first element of a part.
fn first(s: u32, part: u32) -> vec2u {
  let i = part % params.inner;
  return vec2u((part / params.inner * params.sets + s) * params.inner + i, i);
}

// `parts` elements on: hopI = parts % inner along the inner axis; past its end the walk goes on in the next item.
fn next(at: vec2u) -> vec2u {
  let i = at.y + params.hopI;
  let over = i >= params.inner;
  return vec2u(at.x + params.hop + select(0u, (params.sets - 1u) * params.inner, over), i
    - select(0u, params.inner, over));
}

// Mean and sum of squared deviations of a part. Four elements at a time are taken exactly and merged: Chan, Golub,
// LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
fn momentsOf(s: u32, part: u32) -> vec2f {
  let left = lengthOf(part);
  var p = first(s, part);
  var mean = 0.0;
  var m2 = 0.0;
  for (var done = 0u; done < left; done += 4u) {
    let count = min(4u, left - done);
    var v = vec4f();
    for (var k = 0u; k < count; k++) {
      v[k] = x[p.x];
      p = next(p);
    }
    let own = (v.x + v.y + v.z + v.w) / f32(count);
    let d = select(vec4f(), v - own, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
    let share = f32(count) / f32(done + count);
    let delta = own - mean;
    mean += delta * share;
    m2 += dot(d, d) + delta * delta * f32(done) * share;
  }
  return vec2f(mean, m2);
}

// out: (2, parts, sets), those of each part.
@compute @workgroup_size(64)
fn statistics(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.sets * params.parts) { return; }
  let t = task(at);
  let m = momentsOf(t.s, t.part);
  out[t.part * params.sets + t.s] = m.x;
  out[(params.parts + t.part) * params.sets + t.s] = m.y;
}

struct Acc { x: vec4f, y: vec4f }

fn join(a: Acc, b: Acc) -> Acc { return Acc(a.x + b.x, a.y + b.y); }

// The two numbers of the parts of a set, where a workgroup has them all.
var<workgroup> kept: array<vec2f, 256>;

// The two numbers of a part; in a kernel that keeps them: return kept[part % 256u];
fn partAt(s: u32, part: u32) -> vec2f { // variant
  return vec2f(x[part * params.sets + s], x[(params.parts + part) * params.sets + s]);
}

// What a part with two numbers adds to a set: these two, or if `merges` is 1 its elements times its mean,
// if 2 its sum of squared deviations about the mean of the set. (0, 0) unless `isThere`.
fn addend(s: u32, part: u32, isThere: bool, merges: u32, mean: f32) -> vec2f {
  let v = partAt(s, part);
  var found = v;
  if (merges > 0u) {
    let count = params.batch * params.inner;
    let n = f32(count / params.parts + select(0u, 1u, part < count % params.parts));
    let d = v.x - mean;
    found = vec2f(select(n * v.x, v.y + n * d * d, merges == 2u), 0.0);
  }
  return select(vec2f(), found, isThere);
}

fn four(s: u32, part: u32, end: u32, merges: u32, mean: f32) -> Acc {
  let a = addend(s, part, part < end, merges, mean);
  let b = addend(s, part + 1u, part + 1u < end, merges, mean);
  let c = addend(s, part + 2u, part + 2u < end, merges, mean);
  let d = addend(s, part + 3u, part + 3u < end, merges, mean);
  return Acc(vec4f(a.x, b.x, c.x, d.x), vec4f(a.y, b.y, c.y, d.y));
}

// The sums of `addend` over all parts of the set that the place has.
fn overParts(p: Place, merges: u32, mean: f32) -> vec2f {
  let n = select(0u, params.parts, p.row < params.sets);
  var all = Acc();
  var a = four(p.row, restOf(p, n), restEnd(p, n), merges, mean);
  var b = Acc();
  if (TAKES == 2u) { b = four(p.row, restOf(p, n) + 4u, n, merges, mean); }
  for (var part = firstPart(p); part < endPart(p); part++) {
    let s = spanOf(p, part, n);
    for (var i = s.x; i < s.y; i += 8u) {
      a = join(a, four(p.row, i, n, merges, mean));
      if (TAKES == 2u) { b = join(b, four(p.row, i + 4u, n, merges, mean)); }
    }
    all = addPart(all, a, b);
    a = Acc();
    b = Acc();
  }
  all = across(p, all, Acc());
  return vec2f((all.x.x + all.x.y) + (all.x.z + all.x.w), (all.y.x + all.y.y) + (all.y.z + all.y.w));
}

// Mean and sum of squared deviations of a set from those of its parts, in x.
fn merged(p: Place) -> vec2f {
  let mean = overParts(p, 1u, 0.0).x / f32(params.batch * params.inner);
  return vec2f(mean, overParts(p, 2u, mean).x);
}

fn store(s: u32, mean: f32, variance: f32) {
  out[s] = mean;
  out[params.sets + s] = inverseSqrt(variance + params.eps);
}

// The place of an invocation among the lanes that add the parts of a set; those left over have no set.
fn placeIn(s: u32, t: u32) -> Place {
  let lanes = select(LANES, 1u, TAKES == 2u);
  return Place(select(params.sets, s, t < lanes), t % lanes, t - t % lanes, 1u);
}

// out: the table of a set.
@compute @workgroup_size(GROUP)
fn combineStatistics(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let m = merged(p);
  let s = p.row;
  if (s >= params.sets || p.lane > 0u) { return; }
  store(s, m.x, m.y / f32(params.batch * params.inner));
}

// The same from x itself.
@compute @workgroup_size(GROUP)
fn wholeStatistics(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let s = linearGroup(id);
  for (var part = t; part < params.parts; part += GROUP) { kept[part] = momentsOf(s, part); }
  workgroupBarrier();
  let m = merged(placeIn(s, t));
  if (s >= params.sets || t > 0u) { return; }
  store(s, m.x, m.y / f32(params.batch * params.inner));
}

// The table, and running = (1 - f) running + f batch with the unbiased variance; f = momentum, or 1 / (batches so far)
// if CUMULATIVE. `tracked` counts the batches; all sets read it then, so `countBatch` must have run.
fn track(s: u32, m: vec2f) {
  let n = f32(params.batch * params.inner);
  store(s, m.x, m.y / n);
  var f = params.momentum;
  if (CUMULATIVE == 1u) { f = 1.0 / f32(tracked[0]); } else if (s == 0u) { tracked[0] += 1; }
  runningMean[s] = (1.0 - f) * runningMean[s] + f * m.x;
  runningVar[s] = (1.0 - f) * runningVar[s] + f * (m.y / (n - 1.0));
}

@compute @workgroup_size(GROUP)
fn combineTracked(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let m = merged(p);
  let s = p.row;
  if (s >= params.sets || p.lane > 0u) { return; }
  track(s, m);
}

// The same from x itself.
@compute @workgroup_size(GROUP)
fn wholeTracked(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let s = linearGroup(id);
  for (var part = t; part < params.parts; part += GROUP) { kept[part] = momentsOf(s, part); }
  workgroupBarrier();
  let m = merged(placeIn(s, t));
  if (s >= params.sets || t > 0u) { return; }
  track(s, m);
}

@compute @workgroup_size(64)
fn countBatch(@builtin(local_invocation_index) lane: u32) {
  if (lane > 0u) { return; }
  tracked[0] += 1;
}

// out: the table of given statistics.
@compute @workgroup_size(64)
fn prepare(@builtin(global_invocation_id) id: vec3u) {
  let s = linearIndex(id);
  if (s >= params.sets) { return; }
  store(s, givenMean[s], givenVar[s]);
}

fn masked(at: u32) -> f32 {
  if (RELU == 1u) { return select(0.0, dy[at], passes(y[at])); }
  return dy[at];
}

// Sums of h and h xhat over a part; without the factor gamma where it is one for the set.
fn sumsOf(s: u32, part: u32) -> vec2f {
  let mean = table[s];
  let rstd = table[params.sets + s];
  let left = lengthOf(part);
  var total = vec2f();
  var p = first(s, part);
  // The entry of gamma, and the place among its `span` elements; such sets lie in a single item.
  var entry = vec2u(s % params.groups * params.width + p.y / params.span, p.y % params.span);
  let hopEntry = vec2u(params.parts / params.span, params.parts % params.span);
  for (var k = 0u; k < left; k++) {
    var h = masked(p.x);
    if (AFFINE == 2u) {
      h *= gamma[entry.x];
      entry += hopEntry;
      if (entry.y >= params.span) { entry = vec2u(entry.x + 1u, entry.y - params.span); }
    }
    total += vec2f(h, h * ((x[p.x] - mean) * rstd));
    p = next(p);
  }
  return total;
}

// out: (2, parts, sets), those of each part.
@compute @workgroup_size(64)
fn sums(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.sets * params.parts) { return; }
  let t = task(at);
  let total = sumsOf(t.s, t.part);
  out[t.part * params.sets + t.s] = total.x;
  out[(params.parts + t.part) * params.sets + t.s] = total.y;
}

// out and out2: those of a set.
@compute @workgroup_size(GROUP)
fn wholeSums(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let s = linearGroup(id);
  for (var part = t; part < params.parts; part += GROUP) { kept[part] = sumsOf(s, part); }
  workgroupBarrier();
  let total = overParts(placeIn(s, t), 0u, 0.0);
  if (s >= params.sets || t > 0u) { return; }
  out[s] = total.x;
  out2[s] = total.y;
}

// The sums of g and g xhat for each column j where gamma differs inside a set; here a "set" is a column of x: (batch,
// columns, span).
@compute @workgroup_size(64)
fn affineSums(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.sets * params.parts) { return; }
  let t = task(at);
  var total = vec2f();
  var p = first(t.s, t.part);
  // The set of an element: items on, and one more where the walk has come past the end of one.
  var of_ = t.part / params.inner * params.groups + t.s / params.width;
  let hopSets = params.parts / params.inner * params.groups;
  for (var k = 0u; k < t.left; k++) {
    let g = masked(p.x);
    total += vec2f(g, g * ((x[p.x] - table[of_]) * table[params.pitch + of_]));
    let after = next(p);
    of_ += hopSets + select(0u, params.groups, after.y < p.y);
    p = after;
  }
  out[t.part * params.sets + t.s] = total.x;
  out[(params.parts + t.part) * params.sets + t.s] = total.y;
}

// out and out2: the two sums over all parts, which lie in x.
@compute @workgroup_size(GROUP)
fn combineSums(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let total = overParts(p, 0u, 0.0);
  if (p.row >= params.sets || p.lane > 0u) { return; }
  out[p.row] = total.x;
  out2[p.row] = total.y;
}
