// Pooling over windows of x: (planes, height, width), planes = batch * channels; y: (planes, outH, outW).
//   max: y = largest of the window, index = its position in the plane, the first of equals (padding never wins)
//   average: y = sum of the window / its size, padding counted or not
// Backward gathers: each input element looks at the windows that cover it, so nothing is added atomically.
// One invocation an element of the result; grid (its size).
// use lib/index.wgsl

const COUNT_PADDING = 1u; // variant
const MASK = 0u; // variant

struct Params {
  planes: u32, height: u32, width: u32, outH: u32, outW: u32,
  kh: u32, kw: u32, strideH: u32, strideW: u32, padH: u32, padW: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> chosen: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> index: array<u32>;

// First and end position of window `at` along one axis, inside the image.
fn span(at: u32, stride: u32, pad: u32, k: u32, size: u32) -> vec2u {
  let start = at * stride;
  return vec2u(max(start, pad) - pad, min(start + k, size + pad) - pad);
}

// First and end window that covers position `at` along one axis.
fn windows(at: u32, stride: u32, pad: u32, k: u32, out: u32) -> vec2u {
  let p = at + pad;
  let first = select((p - k) / stride + 1u, 0u, p < k);
  return vec2u(first, min(p / stride + 1u, out));
}

@compute @workgroup_size(64)
fn forwardMax(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let area = params.outH * params.outW;
  if (i >= params.planes * area) { return; }
  let base = i / area * params.height * params.width;
  let rows = span(i % area / params.outW, params.strideH, params.padH, params.kh, params.height);
  let cols = span(i % params.outW, params.strideW, params.padW, params.kw, params.width);
  var at = rows.x * params.width + cols.x;
  var best = x[base + at];
  for (var r = rows.x; r < rows.y; r++) {
    for (var c = cols.x; c < cols.y; c++) {
      let v = x[base + r * params.width + c];
      if (v > best) {
        best = v;
        at = r * params.width + c;
      }
    }
  }
  y[i] = best;
  index[i] = at;
}

@compute @workgroup_size(64)
fn backwardMax(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let plane = params.height * params.width;
  if (i >= params.planes * plane) { return; }
  let base = i / plane * params.outH * params.outW;
  let at = i % plane;
  let rows = windows(at / params.width, params.strideH, params.padH, params.kh, params.outH);
  let cols = windows(at % params.width, params.strideW, params.padW, params.kw, params.outW);
  var sum = 0.0;
  for (var r = rows.x; r < rows.y; r++) {
    for (var c = cols.x; c < cols.y; c++) {
      let o = base + r * params.outW + c;
      sum += select(0.0, dy[o], chosen[o] == at);
    }
  }
  if (MASK == 1u) { sum = select(0.0, sum, x[i] > 0.0); }
  y[i] = sum;
}

fn weight(rows: vec2u, cols: vec2u) -> f32 {
  if (COUNT_PADDING == 1u) { return 1.0 / f32(params.kh * params.kw); }
  return 1.0 / f32((rows.y - rows.x) * (cols.y - cols.x));
}

@compute @workgroup_size(64)
fn forwardAverage(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let area = params.outH * params.outW;
  if (i >= params.planes * area) { return; }
  let base = i / area * params.height * params.width;
  let rows = span(i % area / params.outW, params.strideH, params.padH, params.kh, params.height);
  let cols = span(i % params.outW, params.strideW, params.padW, params.kw, params.width);
  var sum = 0.0;
  for (var r = rows.x; r < rows.y; r++) {
    for (var c = cols.x; c < cols.y; c++) { sum += x[base + r * params.width + c]; }
  }
  y[i] = sum * weight(rows, cols);
}

@compute @workgroup_size(64)
fn backwardAverage(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let plane = params.height * params.width;
  if (i >= params.planes * plane) { return; }
  let base = i / plane * params.outH * params.outW;
  let rows = windows(i % plane / params.width, params.strideH, params.padH, params.kh, params.outH);
  let cols = windows(i % params.width, params.strideW, params.padW, params.kw, params.outW);
  var sum = 0.0;
  for (var r = rows.x; r < rows.y; r++) {
    for (var c = cols.x; c < cols.y; c++) {
      let inRows = span(r, params.strideH, params.padH, params.kh, params.height);
      let inCols = span(c, params.strideW, params.padW, params.kw, params.width);
      sum += dy[base + r * params.outW + c] * weight(inRows, inCols);
    }
  }
  if (MASK == 1u) { sum = select(0.0, sum, x[i] > 0.0); }
  y[i] = sum;
}
