// 2-D convolution as an implicit matrix product: the patches of x are never stored, only indexed.
// x: (batch, channels, height, width), w: (filters, channels / groups, kh, kw), y: (batch, filters, outH, outW).
//   forward         y[f, p] = act(sum_k w[f, k] x[patch p, k] + bias[f])    k = (channel, r, c), p = (image, oh, ow)
//   backwardInput   dx[c, q] = sum_k w[k, c] dy[k, q] + bias[c]             k = (filter, r, c'), q = (image, ih, iw)
//   backwardWeight  dw[f, n] = sum_p dy[f, p] x[patch p, n]                 n = (channel, r, c), with BIAS n = last: db
// Each group of channels is a product of its own. Rows and columns are blocked as in lib/gemm.wgsl; grid (columns /
// BLOCK_N, rows / BLOCK_M, layers), layers = groups * (1 | phases | parts) * folds: see blockOf.
// use lib/gemm.wgsl
// use lib/index.wgsl
// use lib/nan.wgsl
// use lib/taps.wgsl

override RELU: u32 = 0u;
override MASK: u32 = 0u;
override BIAS: u32 = 1u;
// 0: every tap of a patch lies inside the image.
override PADDED: u32 = 1u;
// Of backwardWeight.
override GROUP_Z: u32 = 1u;

struct Params {
  batch: u32, channels: u32, height: u32, width: u32,
  filters: u32, outH: u32, outW: u32, groups: u32,
  kh: u32, kw: u32, strideH: u32, strideW: u32, padH: u32, padW: u32, dilH: u32, dilW: u32,
  chunk: u32, parts: u32, tapH: u32, tapW: u32, hopH: u32, hopW: u32,
  span: u32, fold: u32, folds: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> db: array<f32>;

// (first column, first row, layer) of an invocation. Columns past the widest grid go on in the next of `folds` layers.
fn blockOf(id: vec3u) -> vec3u {
  return vec3u((id.x + id.z % params.folds * params.fold) * BLOCK_N, id.y * BLOCK_M, id.z / params.folds);
}

// Tap (r, c) of four patches that start at (top, left), which is negative inside the padding, in planes that start at
// `start + plane`. Without padding `start` is where the patch itself starts.
fn readPatch(start: vec4u, plane: u32, top: vec4i, left: vec4i, r: u32, c: u32) -> vec4f {
  if (PADDED == 0u) {
    let at = start + (plane + r * params.width + c);
    return vec4f(x[at.x], x[at.y], x[at.z], x[at.w]);
  }
  let h = top + i32(r);
  let v = left + i32(c);
  let inside = (h >= vec4i()) & (h < vec4i(i32(params.height))) & (v >= vec4i()) & (v < vec4i(i32(params.width)));
  let at = select(vec4u(), start + plane + vec4u(h) * params.width + vec4u(v), inside);
  return select(vec4f(), vec4f(x[at.x], x[at.y], x[at.z], x[at.w]), inside);
}

fn readDy(i: vec4u, inside: vec4<bool>) -> vec4f {
  let at = select(vec4u(), i, inside);
  return select(vec4f(), vec4f(dy[at.x], dy[at.y], dy[at.z], dy[at.w]), inside);
}

fn readW(i: vec4u, inside: vec4<bool>) -> vec4f {
  return select(vec4f(), vec4f(w[i.x], w[i.y], w[i.z], w[i.w]), inside);
}

fn put(at: u32, v: f32) {
  var value = v;
  if (MASK == 1u) { value = select(0.0, v, passes(x[at])); }
  y[at] = value;
}

// Stores those of four results that lie before the last column. Written out: a lane by a variable index lies in memory.
fn store(at: vec4u, v: vec4f, col: u32, columns: u32) {
  if (col < columns) { put(at.x, v.x); }
  if (col + 1u < columns) { put(at.y, v.y); }
  if (col + 2u < columns) { put(at.z, v.z); }
  if (col + 3u < columns) { put(at.w, v.w); }
}

// The sums of forward and backwardInput: row r of a column goes to place + r * step, its bias is number shift + r.
// Rolled, over a copy: see shaders/matmul.wgsl.
fn finish(
  corner: vec3u,
  rows: u32,
  columns: u32,
  shift: u32,
  step: u32,
  place: ptr<function, array<vec4u, BLOCK_N4>>,
  acc: ptr<function, array<vec4f, SUMS>>,
) {
  var sums = *acc;
  for (var i = 0u; i < min(BLOCK_M, rows - corner.y); i++) {
    let row = corner.y + i;
    for (var j = 0u; j < BLOCK_N4; j++) {
      var v = sums[i * BLOCK_N4 + j];
      if (BIAS == 1u) { v += bias[shift + row]; }
      if (RELU == 1u) { v = orNan4(max(v, vec4f()), v); }
      store(place[j] + row * step, v, corner.x + j * 4u, columns);
    }
  }
}

@compute @workgroup_size(GROUP_X, GROUP_Y)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let corner = blockOf(id);
  let group = corner.z;
  let filters = params.filters / params.groups;
  let channels = params.channels / params.groups;
  let area = params.outH * params.outW;
  let columns = params.batch * area;
  let terms = channels * params.kh * params.kw;
  let plane = params.height * params.width;
  if (corner.y >= filters || leaderOf(corner.x) >= columns) { return; }
  var top: array<vec4i, BLOCK_N4>;
  var left: array<vec4i, BLOCK_N4>;
  var image: array<vec4u, BLOCK_N4>;
  var place: array<vec4u, BLOCK_N4>;
  for (var j = 0u; j < BLOCK_N4; j++) { // unroll
    let p = min(lanes(corner.x + j * 4u), vec4u(columns - 1u));
    let at = p % area;
    image[j] = (p / area * params.channels + group * channels) * plane;
    place[j] = (p / area * params.filters + group * filters) * area + at;
    top[j] = vec4i(at / params.outW * params.strideH) - i32(params.padH);
    left[j] = vec4i(at % params.outW * params.strideW) - i32(params.padW);
    if (PADDED == 0u) { image[j] += vec4u(top[j]) * params.width + vec4u(left[j]); }
  }
  let first = corner.y + firstLoaded(id.x);
  var acc: array<vec4f, SUMS>;
  var tap = vec3u();
  for (var k = 0u; k < terms; k += 4u) {
    var tileA: array<vec4f, BLOCK_M>;
    var tileB: array<vec4f, BLOCK_N>;
    let inside = lanes(k) < vec4u(terms);
    for (var i = 0u; i < LOADED; i++) { // unroll
      tileA[i] = readW(lanes((group * filters + min(first + i, filters - 1u)) * terms + k), inside);
    }
    exchange(&tileA);
    for (var kk = 0u; kk < 4u; kk++) { // unroll
      // Terms past the end read the last channel.
      let channel = min(tap.x, channels - 1u) * plane;
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        tileB[kk * BLOCK_N4 + j] = readPatch(image[j], channel, top[j], left[j], tap.y * params.dilH, tap.z
          * params.dilW);
      }
      tap = advance(tap, params.kh, params.kw);
    }
    endAt(terms, k, &tileB);
    multiplyAdd(&tileA, &tileB, &acc);
  }
  finish(corner, filters, columns, group * filters, area, &place, &acc);
}

// Output row oh touches input row ih through tap r when oh * stride = ih + pad - r * dilation. Input rows of one phase
// (ih + pad) mod stride share their taps: every tapH-th from the first, and from one to the next oh falls by hopH. So
// each phase = phaseH * strideW + phaseW is a dense product of its own, and nothing is multiplied by zero.
@compute @workgroup_size(GROUP_X, GROUP_Y)
fn backwardInput(@builtin(global_invocation_id) id: vec3u) {
  let corner = blockOf(id);
  let stride = vec2u(params.strideH, params.strideW);
  let group = corner.z / (stride.x * stride.y);
  let phase = vec2u(corner.z / stride.y % stride.x, corner.z % stride.y);
  let filters = params.filters / params.groups;
  let channels = params.channels / params.groups;
  let area = params.outH * params.outW;
  let plane = params.height * params.width;
  let window = params.kh * params.kw;
  let pad = vec2u(params.padH, params.padW);
  let first = vec2u(firstTap(phase.x, params.dilH, stride.x), firstTap(phase.y, params.dilW, stride.y));
  let tapRows = ceilDiv(max(params.kh, first.x) - first.x, params.tapH);
  let tapCols = ceilDiv(max(params.kw, first.y) - first.y, params.tapW);
  let terms = filters * tapRows * tapCols;
  // Rows ih = stride * I + phase - pad with 0 <= ih < height, and columns alike.
  let low = (max(pad, phase) - phase + stride - 1u) / stride;
  let high = (max(vec2u(params.height, params.width) + pad, phase) - phase + stride - 1u) / stride;
  let count = high - low;
  let columns = params.batch * count.x * count.y;
  if (corner.y >= channels || leaderOf(corner.x) >= columns) { return; }
  let shift = vec2i((first * vec2u(params.dilH, params.dilW) - phase) / stride);
  var top: array<vec4i, BLOCK_N4>;
  var left: array<vec4i, BLOCK_N4>;
  var image: array<vec4u, BLOCK_N4>;
  var place: array<vec4u, BLOCK_N4>;
  for (var j = 0u; j < BLOCK_N4; j++) { // unroll
    let q = min(lanes(corner.x + j * 4u), vec4u(columns - 1u));
    let n = q / (count.x * count.y);
    let h = q / count.y % count.x + low.x;
    let v = q % count.y + low.y;
    image[j] = (n * params.filters + group * filters) * area;
    place[j] = (n * params.channels + group * channels) * plane + (h * stride.x + phase.x - pad.x) * params.width + v
      * stride.y + phase.y - pad.y;
    top[j] = vec4i(h) - shift.x;
    left[j] = vec4i(v) - shift.y;
  }
  let firstRow = corner.y + firstLoaded(id.x);
  var acc: array<vec4f, SUMS>;
  var tap = vec3u();
  for (var k = 0u; k < terms; k += 4u) {
    var tileA: array<vec4f, BLOCK_M>;
    var tileB: array<vec4f, BLOCK_N>;
    let inside = lanes(k) < vec4u(terms);
    let t = fourTerms(tap, filters - 1u, tapRows, tapCols);
    tap = t.next;
    let at = (group * filters + t.outer) * channels * window + (first.x + t.row * params.tapH) * params.kw + first.y
      + t.col * params.tapW;
    for (var i = 0u; i < LOADED; i++) { // unroll
      tileA[i] = readW(at + min(firstRow + i, channels - 1u) * window, inside);
    }
    exchange(&tileA);
    for (var kk = 0u; kk < 4u; kk++) { // unroll
      let r = i32(t.row[kk] * params.hopH);
      let c = i32(t.col[kk] * params.hopW);
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        let oh = top[j] - r;
        let ow = left[j] - c;
        let valid = (oh >= vec4i()) & (ow >= vec4i()) & (oh < vec4i(i32(params.outH))) & (ow < vec4i(i32(params.outW)));
        tileB[kk * BLOCK_N4 + j] = readDy(image[j] + t.outer[kk] * area + vec4u(oh) * params.outW + vec4u(ow), valid);
      }
    }
    endAt(terms, k, &tileB);
    multiplyAdd(&tileA, &tileB, &acc);
  }
  finish(corner, channels, columns, group * channels, plane, &place, &acc);
}

// Sums over output positions, into y: (parts, filters, terms + BIAS). A part is the sum of `span` chunks of positions,
// a chunk the sum of its terms, in order.
@compute @workgroup_size(GROUP_X, GROUP_Y, GROUP_Z)
fn backwardWeight(@builtin(global_invocation_id) id: vec3u) {
  let corner = blockOf(id);
  let part = corner.z % params.parts;
  let group = corner.z / params.parts;
  let filters = params.filters / params.groups;
  let channels = params.channels / params.groups;
  let area = params.outH * params.outW;
  let plane = params.height * params.width;
  let terms = channels * params.kh * params.kw;
  let columns = terms + BIAS;
  if (group >= params.groups || corner.y >= filters || leaderOf(corner.x) >= columns) { return; }
  var top: array<vec4i, BLOCK_N4>;
  var left: array<vec4i, BLOCK_N4>;
  var channel: array<vec4u, BLOCK_N4>;
  var isBias: array<vec4<bool>, BLOCK_N4>;
  for (var j = 0u; j < BLOCK_N4; j++) { // unroll
    let n = min(lanes(corner.x + j * 4u), vec4u(terms));
    isBias[j] = n == vec4u(terms);
    let tap = min(n, vec4u(terms - 1u));
    top[j] = vec4i(tap / params.kw % params.kh * params.dilH) - i32(params.padH);
    left[j] = vec4i(tap % params.kw * params.dilW) - i32(params.padW);
    channel[j] = (group * channels + tap / (params.kw * params.kh)) * plane;
    if (PADDED == 0u) { channel[j] += vec4u(top[j]) * params.width + vec4u(left[j]); }
  }
  let start = part * params.span * params.chunk;
  let end = min(start + params.span * params.chunk, params.batch * area);
  let first = corner.y + firstLoaded(id.x);
  var total: array<vec4f, SUMS>;
  var acc: array<vec4f, SUMS>;
  var place = vec3u(start / area, start % area / params.outW, start % params.outW);
  for (var head = start; head < end; head += params.chunk) {
    let chunkEnd = min(head + params.chunk, end);
    for (var k = head; k < chunkEnd; k += 4u) {
      var tileA: array<vec4f, BLOCK_M>;
      var tileB: array<vec4f, BLOCK_N>;
      let inside = lanes(k) < vec4u(chunkEnd);
      let t = fourTerms(place, params.batch - 1u, params.outH, params.outW);
      place = t.next;
      let at = (t.outer * params.filters + group * filters) * area + t.row * params.outW + t.col;
      for (var i = 0u; i < LOADED; i++) { // unroll
        tileA[i] = readDy(at + min(first + i, filters - 1u) * area, inside);
      }
      exchange(&tileA);
      for (var kk = 0u; kk < 4u; kk++) { // unroll
        for (var j = 0u; j < BLOCK_N4; j++) { // unroll
          let patch_ = readPatch(channel[j], t.outer[kk] * params.channels * plane, top[j], left[j], t.row[kk]
            * params.strideH, t.col[kk] * params.strideW);
          tileB[kk * BLOCK_N4 + j] = select(patch_, vec4f(1.0), isBias[j]);
        }
      }
      endAt(chunkEnd, k, &tileB);
      multiplyAdd(&tileA, &tileB, &acc);
    }
    for (var i = 0u; i < SUMS; i++) { // unroll
      total[i] += acc[i];
      acc[i] = vec4f();
    }
  }
  var sums = total;
  for (var i = 0u; i < min(BLOCK_M, filters - corner.y); i++) {
    let start_ = (part * params.filters + group * filters + corner.y + i) * columns;
    for (var j = 0u; j < BLOCK_N4; j++) {
      let col = corner.x + j * 4u;
      store(start_ + lanes(col), sums[i * BLOCK_N4 + j], col, columns);
    }
  }
}

// Adds the parts in x: (parts, filters, terms + BIAS) into dw = y and db. Grid (filters * (terms + BIAS)).
@compute @workgroup_size(64)
fn combineWeight(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let columns = params.channels / params.groups * params.kh * params.kw + BIAS;
  let size = params.filters * columns;
  if (i >= size) { return; }
  var sum = 0.0;
  for (var s = 0u; s < params.parts; s++) { sum += x[s * size + i]; }
  let row = i / columns;
  let col = i % columns;
  if (col + BIAS < columns) { y[row * (columns - BIAS) + col] = sum; }
  else { db[row] = sum; }
}
