// x with elements added around it (or, where a pad is negative, cut off) along its last four axes; axes before them
// stay.
//   forward       y[.., o, ..] = x[.., source(o - before), ..], or `value` where the constant mode has no source
//   backwardAxis  dx[outer, p, inner] = sum of dy[outer, o, inner] over the o whose source is p: the transpose along
//                 one axis, which is then axis .w of the parameters with `inner` elements after it
// One invocation per element of the result; grid (its size).
// use lib/index.wgsl

// 0 constant, 1 reflect, 2 replicate, 3 circular
override MODE: u32 = 0u;

struct Params { size: u32, inner: u32, value: f32, shapeX: vec4u, shapeY: vec4u, before: vec4i }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// Where position p of an axis with n elements takes its value; the constant mode has none for p outside.
fn source(p: vec4i, n: vec4i) -> vec4i {
  if (MODE == 1u) { return select(select(p, 2 * (n - 1) - p, p >= n), -p, p < vec4i()); }
  if (MODE == 2u) { return clamp(p, vec4i(), n - 1); }
  if (MODE == 3u) { return select(select(p, p - n, p >= n), p + n, p < vec4i()); }
  return p;
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  let n = params.shapeY;
  let o = vec4u(i / (n.w * n.z * n.y) % n.x, i / (n.w * n.z) % n.y, i / n.w % n.z, i % n.w);
  let shape = vec4i(params.shapeX);
  let p = source(vec4i(o) - params.before, shape);
  if (any(p < vec4i()) || any(p >= shape)) {
    y[i] = params.value;
    return;
  }
  let q = vec4u(p);
  let m = params.shapeX;
  y[i] = x[(((i / (n.w * n.z * n.y * n.x) * m.x + q.x) * m.y + q.y) * m.z + q.z) * m.w + q.w];
}

@compute @workgroup_size(64)
fn backwardAxis(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  let n = i32(params.shapeX.w);
  let out = i32(params.shapeY.w);
  let before = params.before.w;
  let p = i32(i / params.inner) % n;
  let base = i / params.inner / params.shapeX.w * params.shapeY.w;
  // Apart from its own place, p may have been copied anywhere into the two margins.
  var sum = 0.0;
  for (var o = 0; o < min(before, out); o++) {
    if (source(vec4i(o - before), vec4i(n)).x == p) { sum += x[(base + u32(o)) * params.inner + i % params.inner]; }
  }
  if (p + before >= 0 && p + before < out) { sum += x[(base + u32(p + before)) * params.inner + i % params.inner]; }
  for (var o = max(before + n, 0); o < out; o++) {
    if (source(vec4i(o - before), vec4i(n)).x == p) { sum += x[(base + u32(o)) * params.inner + i % params.inner]; }
  }
  y[i] = sum;
}
