// 2-D convolution as an implicit matrix product: the patches of x are never stored, only indexed.
// x: (batch, channels, height, width), w: (filters, channels, kh, kw), y: (batch, filters, outH, outW).
//   forward         y[f, p] = act(sum_k w[f, k] x[patch p, k] + bias[f])    k = (channel, r, c), p = (image, oh, ow)
//   backwardInput   dx[c, q] = sum_k w[k, c] dy[k, q]                       k = (filter, r, c'), q = (image, ih, iw)
//   backwardWeight  dw[f, n] = sum_p dy[f, p] x[patch p, n]                 n = (channel, r, c), and n = last: the bias
// Rows and columns are blocked as in lib/gemm.wgsl; grid (columns / BLOCK_N, rows / BLOCK_M, 1 | phases | parts).
// use lib/gemm.wgsl
// use lib/index.wgsl

const RELU = 0u; // variant
const MASK = 0u; // variant
const BIAS = 1u; // variant
// 0: no padding, so that every tap of a patch lies inside the image.
const PADDED = 1u; // variant

struct Params {
  batch: u32, channels: u32, height: u32, width: u32,
  filters: u32, outH: u32, outW: u32,
  kh: u32, kw: u32, strideH: u32, strideW: u32, padH: u32, padW: u32, dilH: u32, dilW: u32,
  chunk: u32, parts: u32, tapH: u32, tapW: u32, hopH: u32, hopW: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> db: array<f32>;

fn readX(i: vec4u, inside: vec4<bool>) -> vec4f {
  let j = select(vec4u(), i, inside);
  return select(vec4f(), vec4f(x[j.x], x[j.y], x[j.z], x[j.w]), inside);
}

fn readDy(i: vec4u, inside: vec4<bool>) -> vec4f {
  let j = select(vec4u(), i, inside);
  return select(vec4f(), vec4f(dy[j.x], dy[j.y], dy[j.z], dy[j.w]), inside);
}

// (outer, row, column) of the next term in their numbering. Counting is cheaper than dividing.
fn advance(t: vec3u, rows: u32, cols: u32) -> vec3u {
  let wrapC = t.z + 1u == cols;
  let wrapR = wrapC && t.y + 1u == rows;
  return vec3u(t.x + u32(wrapR), select(t.y + u32(wrapC), 0u, wrapR), select(t.z + 1u, 0u, wrapC));
}

// The first tap r with r * dilation = phase (mod stride), or 2^16 when there is none.
fn firstTap(phase: u32, dilation: u32, stride: u32) -> u32 {
  for (var r = 0u; r < stride; r++) {
    if (r * dilation % stride == phase) { return r; }
  }
  return 65536u;
}

fn ceilDiv(a: u32, b: u32) -> u32 { return (a + b - 1u) / b; }
@compute @workgroup_size(GROUP_X, GROUP_Y)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let row0 = id.y * BLOCK_M;
  let col0 = id.x * BLOCK_N;
  let area = params.outH * params.outW;
  let columns = params.batch * area;
  let terms = params.channels * params.kh * params.kw;
  let plane = params.height * params.width;
  if (row0 >= params.filters || col0 >= columns) { return; }
  // Where the patch of each column starts; rows and columns of the image may be negative inside the padding.
  var top: array<vec4i, BLOCK_N4>;
  var left: array<vec4i, BLOCK_N4>;
  var image: array<vec4u, BLOCK_N4>;
  var target_: array<vec4u, BLOCK_N4>;
  for (var j = 0u; j < BLOCK_N4; j++) { // unroll
    let p = min(vec4u(col0 + j * 4u) + vec4u(0u, 1u, 2u, 3u), vec4u(columns - 1u));
    let at = p % area;
    image[j] = p / area * params.channels * plane;
    target_[j] = p / area * params.filters * area + at;
    top[j] = vec4i(at / params.outW * params.strideH) - i32(params.padH);
    left[j] = vec4i(at % params.outW * params.strideW) - i32(params.padW);
    if (PADDED == 0u) { image[j] += vec4u(top[j]) * params.width + vec4u(left[j]); }
  }
  var acc: array<vec4f, SUMS>;
  var tap = vec3u();
  for (var k = 0u; k < terms; k += 4u) {
    var tileA: array<vec4f, BLOCK_M>;
    var tileB: array<vec4f, BLOCK_N>;
    let inside = vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(terms);
    for (var i = 0u; i < BLOCK_M; i++) { // unroll
      let at = min(row0 + i, params.filters - 1u) * terms + k;
      tileA[i] = select(vec4f(), vec4f(w[at], w[at + 1u], w[at + 2u], w[at + 3u]), inside);
    }
    for (var kk = 0u; kk < 4u; kk++) { // unroll
      // Terms past the end read the last channel: their factor in A is zero.
      let channel = min(tap.x, params.channels - 1u) * plane;
      let r = i32(tap.y * params.dilH);
      let c = i32(tap.z * params.dilW);
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        if (PADDED == 0u) {
          let at = image[j] + (channel + u32(r) * params.width + u32(c));
          tileB[kk * BLOCK_N4 + j] = vec4f(x[at.x], x[at.y], x[at.z], x[at.w]);
        } else {
          let h = top[j] + r;
          let v = left[j] + c;
          let valid = (h >= vec4i()) & (h < vec4i(i32(params.height))) & (v >= vec4i()) & (v < vec4i(i32(params.width)));
          tileB[kk * BLOCK_N4 + j] = readX(image[j] + channel + vec4u(h) * params.width + vec4u(v), valid);
        }
      }
      tap = advance(tap, params.kh, params.kw);
    }
    multiplyAdd(&tileA, &tileB, &acc);
  }
  for (var i = 0u; i < BLOCK_M; i++) { // unroll
    let row = row0 + i;
    if (row < params.filters) {
      var shift = 0.0;
      if (BIAS == 1u) { shift = bias[row]; }
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        var v = acc[i * BLOCK_N4 + j] + shift;
        if (RELU == 1u) { v = max(v, vec4f()); }
        for (var c = 0u; c < min(4u, max(columns, col0 + j * 4u) - (col0 + j * 4u)); c++) {
          y[target_[j][c] + row * area] = v[c];
        }
      }
    }
  }
}

// Output row oh touches input row ih through tap r when oh * stride = ih + pad - r * dilation. Input rows of one phase
// (ih + pad) mod stride share their taps: every tapH-th from the first, and from one to the next oh falls by hopH. So
// each phase is a dense product of its own, id.z = phaseH * strideW + phaseW, and nothing is multiplied by zero.
@compute @workgroup_size(GROUP_X, GROUP_Y)
fn backwardInput(@builtin(global_invocation_id) id: vec3u) {
  let row0 = id.y * BLOCK_M;
  let col0 = id.x * BLOCK_N;
  let area = params.outH * params.outW;
  let plane = params.height * params.width;
  let window = params.kh * params.kw;
  let stride = vec2u(params.strideH, params.strideW);
  let pad = vec2u(params.padH, params.padW);
  let phase = vec2u(id.z / params.strideW, id.z % params.strideW);
  let first = vec2u(firstTap(phase.x, params.dilH, params.strideH), firstTap(phase.y, params.dilW, params.strideW));
  let tapRows = ceilDiv(max(params.kh, first.x) - first.x, params.tapH);
  let tapCols = ceilDiv(max(params.kw, first.y) - first.y, params.tapW);
  let terms = params.filters * tapRows * tapCols;
  // Rows ih = stride * I + phase - pad with 0 <= ih < height, and columns alike.
  let low = (max(pad, phase) - phase + stride - 1u) / stride;
  let high = (max(vec2u(params.height, params.width) + pad, phase) - phase + stride - 1u) / stride;
  let count = high - low;
  let columns = params.batch * count.x * count.y;
  if (row0 >= params.channels || col0 >= columns) { return; }
  let shift = vec2i((first * vec2u(params.dilH, params.dilW) - phase) / stride);
  var top: array<vec4i, BLOCK_N4>;
  var left: array<vec4i, BLOCK_N4>;
  var image: array<vec4u, BLOCK_N4>;
  var target_: array<vec4u, BLOCK_N4>;
  for (var j = 0u; j < BLOCK_N4; j++) { // unroll
    let q = min(vec4u(col0 + j * 4u) + vec4u(0u, 1u, 2u, 3u), vec4u(columns - 1u));
    let n = q / (count.x * count.y);
    let h = q / count.y % count.x + low.x;
    let v = q % count.y + low.y;
    image[j] = n * params.filters * area;
    target_[j] = n * params.channels * plane + (h * stride.x + phase.x - pad.x) * params.width + v * stride.y + phase.y - pad.y;
    top[j] = vec4i(h) - shift.x;
    left[j] = vec4i(v) - shift.y;
  }
  var acc: array<vec4f, SUMS>;
  var tap = vec3u();
  for (var k = 0u; k < terms; k += 4u) {
    var tileA: array<vec4f, BLOCK_M>;
    var tileB: array<vec4f, BLOCK_N>;
    let inside = vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(terms);
    var taps: array<vec3u, 4>;
    for (var kk = 0u; kk < 4u; kk++) { // unroll
      taps[kk] = vec3u(min(tap.x, params.filters - 1u), tap.yz);
      tap = advance(tap, tapRows, tapCols);
    }
    let filters = vec4u(taps[0u].x, taps[1u].x, taps[2u].x, taps[3u].x);
    let rows = vec4u(taps[0u].y, taps[1u].y, taps[2u].y, taps[3u].y);
    let cols = vec4u(taps[0u].z, taps[1u].z, taps[2u].z, taps[3u].z);
    let place = filters * params.channels * window + (first.x + rows * params.tapH) * params.kw + first.y + cols * params.tapW;
    for (var i = 0u; i < BLOCK_M; i++) { // unroll
      let at = place + min(row0 + i, params.channels - 1u) * window;
      tileA[i] = select(vec4f(), vec4f(w[at.x], w[at.y], w[at.z], w[at.w]), inside);
    }
    for (var kk = 0u; kk < 4u; kk++) { // unroll
      let r = i32(rows[kk] * params.hopH);
      let c = i32(cols[kk] * params.hopW);
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        let oh = top[j] - r;
        let ow = left[j] - c;
        let valid = (oh >= vec4i()) & (ow >= vec4i()) & (oh < vec4i(i32(params.outH))) & (ow < vec4i(i32(params.outW)));
        tileB[kk * BLOCK_N4 + j] = readDy(image[j] + filters[kk] * area + vec4u(oh) * params.outW + vec4u(ow), valid);
      }
    }
    multiplyAdd(&tileA, &tileB, &acc);
  }
  for (var i = 0u; i < BLOCK_M; i++) { // unroll
    let row = row0 + i;
    if (row < params.channels) {
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        for (var c = 0u; c < min(4u, max(columns, col0 + j * 4u) - (col0 + j * 4u)); c++) {
          let at = target_[j][c] + row * plane;
          var v = acc[i * BLOCK_N4 + j][c];
          if (MASK == 1u) { v = select(0.0, v, x[at] > 0.0); }
          y[at] = v;
        }
      }
    }
  }
}

// Part s of the sum over output positions, into y: (parts, filters, terms + 1).
@compute @workgroup_size(GROUP_X, GROUP_Y)
fn backwardWeight(@builtin(global_invocation_id) id: vec3u) {
  let row0 = id.y * BLOCK_M;
  let col0 = id.x * BLOCK_N;
  let area = params.outH * params.outW;
  let plane = params.height * params.width;
  let terms = params.channels * params.kh * params.kw;
  let columns = terms + 1u;
  let positions = params.batch * area;
  if (row0 >= params.filters || col0 >= columns) { return; }
  var r: array<vec4i, BLOCK_N4>;
  var c: array<vec4i, BLOCK_N4>;
  var channel: array<vec4u, BLOCK_N4>;
  var isBias: array<vec4<bool>, BLOCK_N4>;
  for (var j = 0u; j < BLOCK_N4; j++) { // unroll
    let n = min(vec4u(col0 + j * 4u) + vec4u(0u, 1u, 2u, 3u), vec4u(terms));
    isBias[j] = n == vec4u(terms);
    let tap = min(n, vec4u(terms - 1u));
    r[j] = vec4i(tap / params.kw % params.kh * params.dilH) - i32(params.padH);
    c[j] = vec4i(tap % params.kw * params.dilW) - i32(params.padW);
    channel[j] = tap / (params.kw * params.kh) * plane;
    if (PADDED == 0u) { channel[j] += vec4u(r[j]) * params.width + vec4u(c[j]); }
  }
  let start = id.z * params.chunk;
  let end = min(start + params.chunk, positions);
  var acc: array<vec4f, SUMS>;
  var place = vec3u(start / area, start % area / params.outW, start % params.outW);
  for (var k = start; k < end; k += 4u) {
    var tileA: array<vec4f, BLOCK_M>;
    var tileB: array<vec4f, BLOCK_N>;
    let inside = vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(end);
    var places: array<vec3u, 4>;
    for (var kk = 0u; kk < 4u; kk++) { // unroll
      places[kk] = vec3u(min(place.x, params.batch - 1u), place.yz);
      place = advance(place, params.outH, params.outW);
    }
    let images = vec4u(places[0u].x, places[1u].x, places[2u].x, places[3u].x);
    let rows = vec4u(places[0u].y, places[1u].y, places[2u].y, places[3u].y);
    let cols = vec4u(places[0u].z, places[1u].z, places[2u].z, places[3u].z);
    let at = images * params.filters * area + rows * params.outW + cols;
    for (var i = 0u; i < BLOCK_M; i++) { // unroll
      tileA[i] = readDy(at + min(row0 + i, params.filters - 1u) * area, inside);
    }
    for (var kk = 0u; kk < 4u; kk++) { // unroll
      let top = rows[kk] * params.strideH;
      let left = cols[kk] * params.strideW;
      let image = images[kk] * params.channels * plane;
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        var patch_: vec4f;
        if (PADDED == 0u) {
          let q = channel[j] + (image + top * params.width + left);
          patch_ = vec4f(x[q.x], x[q.y], x[q.z], x[q.w]);
        } else {
          let h = r[j] + i32(top);
          let v = c[j] + i32(left);
          let valid = (h >= vec4i()) & (h < vec4i(i32(params.height))) & (v >= vec4i()) & (v < vec4i(i32(params.width)));
          patch_ = readX(image + channel[j] + vec4u(h) * params.width + vec4u(v), valid);
        }
        tileB[kk * BLOCK_N4 + j] = select(patch_, vec4f(1.0), isBias[j]);
      }
    }
    multiplyAdd(&tileA, &tileB, &acc);
  }
  for (var i = 0u; i < BLOCK_M; i++) { // unroll
    let row = row0 + i;
    if (row < params.filters) {
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        let col = col0 + j * 4u;
        for (var n = 0u; n < min(4u, max(columns, col) - col); n++) {
          y[(id.z * params.filters + row) * columns + col + n] = acc[i * BLOCK_N4 + j][n];
        }
      }
    }
  }
}

// Adds the parts in x: (parts, filters, terms + 1) into dw = y and db. Grid (filters * (terms + 1)).
@compute @workgroup_size(64)
fn combineWeight(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let columns = params.channels * params.kh * params.kw + 1u;
  let size = params.filters * columns;
  if (i >= size) { return; }
  var sum = 0.0;
  for (var s = 0u; s < params.parts; s++) { sum += x[s * size + i]; }
  let row = i / columns;
  let col = i % columns;
  if (col + 1u < columns) { y[row * (columns - 1u) + col] = sum; }
  else if (BIAS == 1u) { db[row] = sum; }
}
