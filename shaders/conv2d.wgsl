// 2-D convolution as an implicit matrix product: the patches of x are never stored, only indexed.
// x: (batch, channels, height, width), w: (filters, channels, kh, kw), y: (batch, filters, outH, outW).
//   forward         y[f, p] = act(sum_k w[f, k] x[patch p, k] + bias[f])    k = (channel, r, c), p = (image, oh, ow)
//   backwardInput   dx[c, q] = sum_k w[k, c] dy[k, q]                       k = (filter, r, c'), q = (image, ih, iw)
//   backwardWeight  dw[f, n] = sum_p dy[f, p] x[patch p, n]                 n = (channel, r, c), and n = last: the bias
// Rows and columns are blocked as in lib/gemm.wgsl; grid (columns / BLOCK_N, rows / BLOCK_M, parts).
// use lib/gemm.wgsl
// use lib/index.wgsl

const RELU = 0u; // variant
const MASK = 0u; // variant
const BIAS = 1u; // variant

struct Params {
  batch: u32, channels: u32, height: u32, width: u32,
  filters: u32, outH: u32, outW: u32,
  kh: u32, kw: u32, strideH: u32, strideW: u32, padH: u32, padW: u32, dilH: u32, dilW: u32,
  chunk: u32, parts: u32,
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
  }
  var acc: array<vec4f, SUMS>;
  for (var k = 0u; k < terms; k += 4u) {
    var tileA: array<vec4f, BLOCK_M>;
    var tileB: array<vec4f, BLOCK_N>;
    let inside = vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(terms);
    for (var i = 0u; i < BLOCK_M; i++) { // unroll
      let at = min(row0 + i, params.filters - 1u) * terms + k;
      tileA[i] = select(vec4f(), vec4f(w[at], w[at + 1u], w[at + 2u], w[at + 3u]), inside);
    }
    for (var kk = 0u; kk < 4u; kk++) { // unroll
      let term = k + kk;
      let r = i32(term / params.kw % params.kh * params.dilH);
      let c = i32(term % params.kw * params.dilW);
      let channel = term / (params.kw * params.kh) * plane;
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        let h = top[j] + r;
        let v = left[j] + c;
        let valid = (h >= vec4i()) & (h < vec4i(i32(params.height))) & (v >= vec4i()) & (v < vec4i(i32(params.width))) & vec4<bool>(term < terms);
        tileB[kk * BLOCK_N4 + j] = readX(image[j] + channel + vec4u(h) * params.width + vec4u(v), valid);
      }
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

@compute @workgroup_size(GROUP_X, GROUP_Y)
fn backwardInput(@builtin(global_invocation_id) id: vec3u) {
  let row0 = id.y * BLOCK_M;
  let col0 = id.x * BLOCK_N;
  let area = params.outH * params.outW;
  let plane = params.height * params.width;
  let columns = params.batch * plane;
  let window = params.kh * params.kw;
  let terms = params.filters * window;
  if (row0 >= params.channels || col0 >= columns) { return; }
  var top: array<vec4i, BLOCK_N4>;
  var left: array<vec4i, BLOCK_N4>;
  var image: array<vec4u, BLOCK_N4>;
  var target_: array<vec4u, BLOCK_N4>;
  for (var j = 0u; j < BLOCK_N4; j++) { // unroll
    let q = min(vec4u(col0 + j * 4u) + vec4u(0u, 1u, 2u, 3u), vec4u(columns - 1u));
    let at = q % plane;
    image[j] = q / plane * params.filters * area;
    target_[j] = q / plane * params.channels * plane + at;
    top[j] = vec4i(at / params.width + params.padH);
    left[j] = vec4i(at % params.width + params.padW);
  }
  let stride = vec2i(i32(params.strideH), i32(params.strideW));
  var acc: array<vec4f, SUMS>;
  for (var k = 0u; k < terms; k += 4u) {
    var tileA: array<vec4f, BLOCK_M>;
    var tileB: array<vec4f, BLOCK_N>;
    let term = min(vec4u(k) + vec4u(0u, 1u, 2u, 3u), vec4u(terms - 1u));
    let inside = vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(terms);
    let filter_ = term / window;
    let place = term % window;
    for (var i = 0u; i < BLOCK_M; i++) { // unroll
      let at = (filter_ * params.channels + min(row0 + i, params.channels - 1u)) * window + place;
      tileA[i] = select(vec4f(), vec4f(w[at.x], w[at.y], w[at.z], w[at.w]), inside);
    }
    for (var kk = 0u; kk < 4u; kk++) { // unroll
      let r = i32(place[kk] / params.kw * params.dilH);
      let c = i32(place[kk] % params.kw * params.dilW);
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        // Output row oh touches input row ih through tap r when oh * stride = ih + pad - r * dilation.
        let h = top[j] - r;
        let v = left[j] - c;
        let oh = h / stride.x;
        let ow = v / stride.y;
        let valid = (h >= vec4i()) & (v >= vec4i()) & (oh * stride.x == h) & (ow * stride.y == v)
          & (oh < vec4i(i32(params.outH))) & (ow < vec4i(i32(params.outW))) & vec4<bool>(inside[kk]);
        tileB[kk * BLOCK_N4 + j] = readDy(image[j] + filter_[kk] * area + vec4u(oh) * params.outW + vec4u(ow), valid);
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
    r[j] = vec4i(n / params.kw % params.kh * params.dilH) - i32(params.padH);
    c[j] = vec4i(n % params.kw * params.dilW) - i32(params.padW);
    channel[j] = n / (params.kw * params.kh) * plane;
    isBias[j] = n == vec4u(terms);
  }
  let end = min((id.z + 1u) * params.chunk, positions);
  var acc: array<vec4f, SUMS>;
  for (var k = id.z * params.chunk; k < end; k += 4u) {
    var tileA: array<vec4f, BLOCK_M>;
    var tileB: array<vec4f, BLOCK_N>;
    let p = min(vec4u(k) + vec4u(0u, 1u, 2u, 3u), vec4u(positions - 1u));
    let inside = vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(end);
    let image = p / area;
    let at = p % area;
    for (var i = 0u; i < BLOCK_M; i++) { // unroll
      tileA[i] = readDy((image * params.filters + min(row0 + i, params.filters - 1u)) * area + at, inside);
    }
    for (var kk = 0u; kk < 4u; kk++) { // unroll
      let top = i32(at[kk] / params.outW * params.strideH);
      let left = i32(at[kk] % params.outW * params.strideW);
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        let h = r[j] + top;
        let v = c[j] + left;
        let valid = (h >= vec4i()) & (h < vec4i(i32(params.height))) & (v >= vec4i()) & (v < vec4i(i32(params.width))) & !isBias[j];
        let patch_ = readX(image[kk] * params.channels * plane + channel[j] + vec4u(h) * params.width + vec4u(v), valid);
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
