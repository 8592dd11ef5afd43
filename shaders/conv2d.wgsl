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
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> w: array<Element>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<Element>;
@group(0) @binding(5) var<storage, read> mask: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;
@group(0) @binding(7) var<storage, read_write> db: array<f32>;
// Operands of the tiled products.
@group(0) @binding(8) var<storage, read> lhs: array<Element>;
@group(0) @binding(9) var<storage, read> rhs: array<Element>;

// An operand holds f32, or halves, two a word.
alias Element = f32; // variant
fn xAt(i: u32) -> f32 { return x[i]; } // variant
fn wAt(i: u32) -> f32 { return w[i]; } // variant
fn dyAt(i: u32) -> f32 { return dy[i]; } // variant
fn lhsAt(i: u32) -> f32 { return lhs[i]; } // variant
fn rhsAt(i: u32) -> f32 { return rhs[i]; } // variant

// (first column, first row, layer) of an invocation. Columns past the widest grid go on in the next of `folds` layers.
fn blockOf(id: vec3u) -> vec3u {
  return vec3u((id.x + id.z % params.folds * params.fold) * BLOCK_N, id.y * BLOCK_M, id.z / params.folds);
}

// Tap (r, c) of four patches that start at (top, left), which is negative inside the padding, in planes that start at
// `start + plane`. Without padding `start` is where the patch itself starts.
fn readPatch(start: vec4u, plane: u32, top: vec4i, left: vec4i, r: u32, c: u32) -> vec4f {
  if (PADDED == 0u) {
    let at = start + (plane + r * params.width + c);
    return vec4f(xAt(at.x), xAt(at.y), xAt(at.z), xAt(at.w));
  }
  let h = top + i32(r);
  let v = left + i32(c);
  let inside = (h >= vec4i()) & (h < vec4i(i32(params.height))) & (v >= vec4i()) & (v < vec4i(i32(params.width)));
  let at = select(vec4u(), start + plane + vec4u(h) * params.width + vec4u(v), inside);
  return select(vec4f(), vec4f(xAt(at.x), xAt(at.y), xAt(at.z), xAt(at.w)), inside);
}

fn readDy(i: vec4u, inside: vec4<bool>) -> vec4f {
  let at = select(vec4u(), i, inside);
  return select(vec4f(), vec4f(dyAt(at.x), dyAt(at.y), dyAt(at.z), dyAt(at.w)), inside);
}

fn readW(i: vec4u, inside: vec4<bool>) -> vec4f {
  return select(vec4f(), vec4f(wAt(i.x), wAt(i.y), wAt(i.z), wAt(i.w)), inside);
}

fn put(at: u32, v: f32) {
  var value = v;
  if (MASK == 1u) { value = select(0.0, v, passes(mask[at])); }
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
    var blockA: array<vec4f, BLOCK_M>;
    var blockB: array<vec4f, BLOCK_N>;
    let inside = lanes(k) < vec4u(terms);
    for (var i = 0u; i < LOADED; i++) { // unroll
      blockA[i] = readW(lanes((group * filters + min(first + i, filters - 1u)) * terms + k), inside);
    }
    exchange(&blockA);
    for (var kk = 0u; kk < 4u; kk++) { // unroll
      // Terms past the end read the last channel.
      let channel = min(tap.x, channels - 1u) * plane;
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        blockB[kk * BLOCK_N4 + j] = readPatch(image[j], channel, top[j], left[j], tap.y * params.dilH, tap.z
          * params.dilW);
      }
      tap = advance(tap, params.kh, params.kw);
    }
    endAt(terms, k, &blockB);
    multiplyAdd(&blockA, &blockB, &acc);
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
    var blockA: array<vec4f, BLOCK_M>;
    var blockB: array<vec4f, BLOCK_N>;
    let inside = lanes(k) < vec4u(terms);
    let t = fourTerms(tap, filters - 1u, tapRows, tapCols);
    tap = t.next;
    let at = (group * filters + t.outer) * channels * window + (first.x + t.row * params.tapH) * params.kw + first.y
      + t.col * params.tapW;
    for (var i = 0u; i < LOADED; i++) { // unroll
      blockA[i] = readW(at + min(firstRow + i, channels - 1u) * window, inside);
    }
    exchange(&blockA);
    for (var kk = 0u; kk < 4u; kk++) { // unroll
      let r = i32(t.row[kk] * params.hopH);
      let c = i32(t.col[kk] * params.hopW);
      for (var j = 0u; j < BLOCK_N4; j++) { // unroll
        let oh = top[j] - r;
        let ow = left[j] - c;
        let valid = (oh >= vec4i()) & (ow >= vec4i()) & (oh < vec4i(i32(params.outH))) & (ow < vec4i(i32(params.outW)));
        blockB[kk * BLOCK_N4 + j] = readDy(image[j] + t.outer[kk] * area + vec4u(oh) * params.outW + vec4u(ow), valid);
      }
    }
    endAt(terms, k, &blockB);
    multiplyAdd(&blockA, &blockB, &acc);
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
      var blockA: array<vec4f, BLOCK_M>;
      var blockB: array<vec4f, BLOCK_N>;
      let inside = lanes(k) < vec4u(chunkEnd);
      let t = fourTerms(place, params.batch - 1u, params.outH, params.outW);
      place = t.next;
      let at = (t.outer * params.filters + group * filters) * area + t.row * params.outW + t.col;
      for (var i = 0u; i < LOADED; i++) { // unroll
        blockA[i] = readDy(at + min(first + i, filters - 1u) * area, inside);
      }
      exchange(&blockA);
      for (var kk = 0u; kk < 4u; kk++) { // unroll
        for (var j = 0u; j < BLOCK_N4; j++) { // unroll
          let patch_ = readPatch(channel[j], t.outer[kk] * params.channels * plane, top[j], left[j], t.row[kk]
            * params.strideH, t.col[kk] * params.strideW);
          blockB[kk * BLOCK_N4 + j] = select(patch_, vec4f(1.0), isBias[j]);
        }
      }
      endAt(chunkEnd, k, &blockB);
      multiplyAdd(&blockA, &blockB, &acc);
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
  for (var s = 0u; s < params.parts; s++) { sum += xAt(s * size + i); }
  let row = i / columns;
  let col = i % columns;
  if (col + BIAS < columns) { y[row * (columns - BIAS) + col] = sum; }
  else { db[row] = sum; }
}

// The same sums in the same order for GPUs: tiled through workgroup memory, or where a group has up to four rows
// (depthwise) with one column an invocation.
//   forward         lhs = w, rhs = x, rows filters, columns output positions
//   backwardInput   lhs = w, rhs = dy, rows channels, columns input positions of one phase of the stride
//   backwardWeight  lhs = dy, rhs = x, rows filters, columns taps (channel, r, c); terms output positions of a part
// An element of `rhs` lies at the place of a position plus the offset of a tap. A tap has one bit for its row in the
// window and one for its column, a position the bits of those inside the image: the element counts where none is
// missing. What is known of the next TILE_N terms lies in workgroup memory. A window has up to 30 rows and columns
// together, and LANES is a multiple of TILE_N and of DEPTH.

// 0: neighbouring taps read neighbours.
override DILATED: u32 = 1u;
// Rows of a thin product.
const THIN_M = 1u; // variant

// LANES invocations compute TILE_M x TILE_N sums: they copy DEPTH terms of both operands into tileA (by term, then row)
// and tileB (by term, then column) and multiply them from there. The invocation (tx, ty) has rows 4 (ty + i LANES_Y) ..
// + 3, i < ROWS4, and columns 4 (tx + j LANES_X) .. + 3, j < COLS4. A sum is one chain of fma, its terms in order.
const ROWS4 = 1u; // variant
const COLS4 = 1u; // variant
const LANES_X = 16u; // variant
const LANES_Y = 4u; // variant
const DEPTH = 16u; // variant
// Elements of a tile that an invocation copies: TILE_M DEPTH / LANES and TILE_N DEPTH / LANES.
const LOADS_A = 4u; // variant
const LOADS_B = 16u; // variant
const LANES = LANES_X * LANES_Y;
const TILE_M = ROWS4 * LANES_Y * 4u;
const TILE_N = COLS4 * LANES_X * 4u;
const TILE_SUMS = ROWS4 * COLS4 * 4u;
// Four more, so that invocations with different terms write to different banks.
const PITCH_A = TILE_M + 4u;
const PITCH_B = TILE_N + 4u;

var<workgroup> tileA: array<f32, DEPTH * PITCH_A>;
var<workgroup> tileB: array<f32, DEPTH * PITCH_B>;

// Bits of a term past the last.
const NO_TAP = 0x40000000u;
const NO_PLACE = 0xffffffffu;

// Of TILE_N terms: where they lie in a row of `lhs`.
var<workgroup> inLhs: array<u32, TILE_N>;
// Offset and bits of taps: of TILE_N terms (indices may seem to exceed them), in backwardWeight of all columns.
var<workgroup> taps: array<vec2i, TILE_N + DEPTH>;
// Place and bits of TILE_N positions.
var<workgroup> positions: array<vec2i, TILE_N>;
// Where row 0 of each column is written.
var<workgroup> results: array<u32, TILE_N>;

// (block of columns, block of rows, layer) of a workgroup. Blocks past the widest grid go on in the next layer.
fn tileOf(id: vec3u) -> vec3u {
  return vec3u(id.x + id.z % params.folds * params.fold, id.y, id.z / params.folds);
}

// The lockstep run of the tests shares what functions return among invocations: those with other arguments in each are
// of one line, which it writes out, or give their result to a pointer.

fn readRhs(place: i32, inside: i32, tap: vec2i) -> f32 { return readTap(place + tap.x, (inside & tap.y) == tap.y); }
fn readTap(at: i32, isInside: bool) -> f32 { return select(0.0, rhsAt(u32(at)), isInside); }

// Of n taps that lie `dil` apart, from 0 on: how many lie below v.
fn below(v: i32, n: u32, dil: u32) -> u32 { return overDilation(u32(clamp(v, 0, i32(n * dil))), dil); }
fn overDilation(v: u32, dil: u32) -> u32 { return select(ceilDiv(v, dil), v, DILATED == 0u); }

// Bit r says that 0 <= start + r * d < size, for r < n.
fn bitsOf(start: i32, size: u32, n: u32, d: u32) -> u32 { return range(below(-start, n, d), above(start, size, n, d)); }
fn above(start: i32, size: u32, n: u32, d: u32) -> u32 { return below(i32(size) - start, n, d); }
fn range(first: u32, last: u32) -> u32 { return (1u << max(first, last)) - (1u << first); }

// Bits of the rows and columns of a window at (top, start) inside the image.
fn rowBits(top: i32) -> u32 { return bitsOf(top, params.height, params.kh, params.dilH); }
fn colBits(start: i32) -> u32 { return bitsOf(start, params.width, params.kw, params.dilW) << params.kh; }

fn tapBits(row: u32, col: u32, rows: u32) -> u32 { return (1u << row) | (1u << (rows + col)); }

fn coordinates(k: u32, rows: u32, cols: u32) -> vec3u { return vec3u(k / (rows * cols), k / cols % rows, k % cols); }

// A sum of two coordinates(), once its columns and then its rows are carried.
fn carryCols(c: vec3u, cols: u32) -> vec3u { return select(c, vec3u(c.x, c.y + 1u, c.z - cols), c.z >= cols); }
fn carryRows(c: vec3u, rows: u32) -> vec3u { return select(c, vec3u(c.x + 1u, c.y - rows, c.z), c.y >= rows); }

// The terms of forward and backwardInput, (outer, row, column): their number, rows and columns of a window, and what a
// step of each coordinate is in `lhs` and `rhs`. A row of `lhs` begins at first + i * pitch.
struct Product { terms: u32, rows: u32, cols: u32, inLhs: vec3u, inRhs: vec3i, first: u32, pitch: u32 }

// A column of forward and backwardInput: its place in `rhs`, bits of the taps inside, and where its row 0 is written.
struct Column { place: i32, bits: i32, result: u32 }

fn writeTerm(t: u32, k: u32, c: vec3u, product: Product) {
  inLhs[t] = dot(c, product.inLhs);
  let bits = select(tapBits(c.y, c.z, product.rows), NO_TAP, k >= product.terms);
  taps[t] = vec2i(dot(vec3i(c), product.inRhs), i32(bits));
}

fn loadTiles(
  k: u32,
  t: u32,
  row: u32,
  product: Product,
  column: Column,
  loadedA: ptr<function, array<f32, LOADS_A>>,
  loadedB: ptr<function, array<f32, LOADS_B>>,
) {
  let depth = t % DEPTH;
  let at = product.first + (row + t / DEPTH) * product.pitch + inLhs[(k + depth) % TILE_N];
  for (var i = 0u; i < LOADS_A; i++) { // unroll
    loadedA[i] = select(0.0, lhsAt(at + i * (LANES / DEPTH) * product.pitch), k + depth < product.terms);
  }
  let layer = k % TILE_N + t % LANES / TILE_N * LOADS_B;
  for (var i = 0u; i < LOADS_B; i++) { // unroll
    let tap = taps[layer + i];
    loadedB[i] = readRhs(column.place, column.bits, tap);
  }
}

// The sums of forward and backwardInput, stored: rows from `row` on of `rows`, for the columns of the workgroup, of
// which an invocation copies number t % TILE_N. A row of results lies `step` after the one before; its bias is number
// shift + row.
fn multiply(t: u32, row: u32, rows: u32, product: Product, column: Column, step: u32, shift: u32) {
  let hop = coordinates(TILE_N, product.rows, product.cols);
  var c = coordinates(t, product.rows, product.cols);
  if (t < TILE_N) {
    writeTerm(t, t, c, product);
    results[t] = column.result;
  }
  workgroupBarrier();
  var loadedA: array<f32, LOADS_A>;
  var loadedB: array<f32, LOADS_B>;
  var acc: array<vec4f, TILE_SUMS>;
  loadTiles(0u, t, row, product, column, &loadedA, &loadedB);
  for (var k = DEPTH; k < product.terms + DEPTH; k += DEPTH) {
    for (var i = 0u; i < LOADS_A; i++) { // unroll
      tileA[t % DEPTH * PITCH_A + t % LANES / DEPTH + i * (LANES / DEPTH)] = loadedA[i];
    }
    for (var i = 0u; i < LOADS_B; i++) { // unroll
      tileB[(t % LANES / TILE_N * LOADS_B + i) * PITCH_B + t % TILE_N] = loadedB[i];
    }
    if (k % TILE_N == 0u) {
      c += hop;
      c = carryCols(c, product.cols);
      c = carryRows(c, product.rows);
      if (t < TILE_N) { writeTerm(t, k + t, c, product); }
    }
    workgroupBarrier();
    if (k < product.terms) { loadTiles(k, t, row, product, column, &loadedA, &loadedB); }
    multiplyTiles(t, &acc);
    workgroupBarrier();
  }
  for (var i = 0u; i < ROWS4; i++) { // unroll
    for (var r = 0u; r < 4u; r++) { // unroll
      let at = row + 4u * (t / LANES_X + i * LANES_Y) + r;
      if (at < rows) {
        for (var j = 0u; j < COLS4; j++) { // unroll
          for (var n = 0u; n < 4u; n++) { // unroll
            let result = results[4u * (t % LANES_X + j * LANES_X) + n];
            finishOne(result, at * step, acc[(i * 4u + r) * COLS4 + j][n], shift + at);
          }
        }
      }
    }
  }
}

// The same with up to four rows, and the column of the invocation alone.
fn multiplyThin(t: u32, product: Product, column: Column, step: u32, shift: u32) {
  let hop = coordinates(TILE_N, product.rows, product.cols);
  var c = coordinates(t, product.rows, product.cols);
  var acc: array<f32, THIN_M>;
  for (var k = 0u; k < product.terms; k += TILE_N) {
    writeTerm(t % TILE_N, k + t, c, product);
    c += hop;
    c = carryCols(c, product.cols);
    c = carryRows(c, product.rows);
    workgroupBarrier();
    for (var i = 0u; i < min(TILE_N, product.terms - k); i += 4u) {
      for (var n = 0u; n < 4u; n++) { // unroll
        let tap = taps[i + n];
        let v = readRhs(column.place, column.bits, tap);
        let at = product.first + inLhs[i + n];
        for (var m = 0u; m < THIN_M; m++) { // unroll
          acc[m] = fma(select(0.0, lhsAt(at + m * product.pitch), k + i + n < product.terms), v, acc[m]);
        }
      }
    }
    workgroupBarrier();
  }
  for (var m = 0u; m < THIN_M; m++) { // unroll
    finishOne(column.result, m * step, acc[m], shift + m);
  }
}

// Adds the products of the DEPTH terms in the tiles: acc[(4 i + r) COLS4 + j] are four columns of row r of vector i.
fn multiplyTiles(t: u32, acc: ptr<function, array<vec4f, TILE_SUMS>>) {
  let tx = t % LANES_X;
  let ty = t % LANES / LANES_X;
  for (var q = 0u; q < DEPTH; q += 4u) {
    for (var k = 0u; k < 4u; k++) { // unroll
      for (var i = 0u; i < ROWS4; i++) { // unroll
        let inA = (q + k) % DEPTH * PITCH_A + 4u * (ty + i * LANES_Y);
        let rows = vec4f(tileA[inA], tileA[inA + 1u], tileA[inA + 2u], tileA[inA + 3u]);
        for (var j = 0u; j < COLS4; j++) { // unroll
          let inB = (q + k) % DEPTH * PITCH_B + 4u * (tx + j * LANES_X);
          let columns = vec4f(tileB[inB], tileB[inB + 1u], tileB[inB + 2u], tileB[inB + 3u]);
          for (var r = 0u; r < 4u; r++) { // unroll
            acc[(i * 4u + r) * COLS4 + j] = fma(vec4f(rows[r]), columns, acc[(i * 4u + r) * COLS4 + j]);
          }
        }
      }
    }
  }
}

fn finishOne(result: u32, offset: u32, sum: f32, channel: u32) {
  if (result == NO_PLACE) { return; }
  var v = sum;
  if (BIAS == 1u) { v += bias[channel]; }
  if (RELU == 1u) { v = orNan(max(v, 0.0), v); }
  put(result + offset, v);
}

fn patchProduct(group: u32, rows: u32) -> Product {
  let channels = params.channels / params.groups;
  let window = params.kh * params.kw;
  return Product(channels * window, params.kh, params.kw, vec3u(window, params.kw, 1u),
    vec3i(vec3u(params.height * params.width, params.dilH * params.width, params.dilW)),
    group * rows * channels * window, channels * window);
}

fn patchColumn(q: u32, group: u32, column: ptr<function, Column>) {
  let area = params.outH * params.outW;
  *column = Column(0, 0, NO_PLACE);
  if (q >= params.batch * area) { return; }
  let image = q / area;
  let at = q % area;
  let top = i32(at / params.outW * params.strideH) - i32(params.padH);
  let start = i32(at % params.outW * params.strideW) - i32(params.padW);
  let plane = (image * params.groups + group) * (params.channels / params.groups) * params.height * params.width;
  *column = Column(i32(plane) + top * i32(params.width) + start, i32(rowBits(top) | colBits(start)),
    (image * params.groups + group) * (params.filters / params.groups) * area + at);
}

@compute @workgroup_size(LANES)
fn forwardTiled(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let corner = tileOf(id);
  let filters = params.filters / params.groups;
  var column: Column;
  patchColumn(corner.x * TILE_N + t % TILE_N, corner.z, &column);
  multiply(t, corner.y * TILE_M, filters, patchProduct(corner.z, filters), column, params.outH * params.outW,
    corner.z * filters);
}

@compute @workgroup_size(64)
fn forwardThin(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let corner = tileOf(id);
  var column: Column;
  patchColumn(corner.x * 64u + t, corner.z, &column);
  multiplyThin(t, patchProduct(corner.z, THIN_M), column, params.outH * params.outW, corner.z * THIN_M);
}

// The phase of layer z of backwardInput: its input rows and columns are
// stride * i + phase - pad for low <= i < low + count, its taps first + r * tap for r < taps.
struct Phase { group: u32, at: vec2u, first: vec2u, taps: vec2u, low: vec2u, count: vec2u }

fn phaseOf(z: u32) -> Phase {
  let stride = vec2u(params.strideH, params.strideW);
  let pad = vec2u(params.padH, params.padW);
  let at = vec2u(z / stride.y % stride.x, z % stride.y);
  let first = vec2u(firstTap(at.x, params.dilH, stride.x), firstTap(at.y, params.dilW, stride.y));
  let taps_ = vec2u(ceilDiv(max(params.kh, first.x) - first.x, params.tapH),
    ceilDiv(max(params.kw, first.y) - first.y, params.tapW));
  let end = vec2u(params.height, params.width) + pad;
  let low = vec2u(ceilDiv(max(pad.x, at.x) - at.x, stride.x), ceilDiv(max(pad.y, at.y) - at.y, stride.y));
  let high = vec2u(ceilDiv(max(end.x, at.x) - at.x, stride.x), ceilDiv(max(end.y, at.y) - at.y, stride.y));
  return Phase(z / (stride.x * stride.y), at, first, taps_, low, high - low);
}

fn phaseProduct(phase: Phase, rows: u32) -> Product {
  let window = params.kh * params.kw;
  let filters = params.filters / params.groups;
  return Product(filters * phase.taps.x * phase.taps.y, phase.taps.x, phase.taps.y,
    vec3u(rows * window, params.tapH * params.kw, params.tapW),
    vec3i(i32(params.outH * params.outW), -i32(params.hopH * params.outW), -i32(params.hopW)),
    phase.group * filters * rows * window + phase.first.x * params.kw + phase.first.y, window);
}

fn phaseColumn(q: u32, phase: Phase, column: ptr<function, Column>) {
  let size = phase.count.x * phase.count.y;
  *column = Column(0, 0, NO_PLACE);
  if (q >= params.batch * size) { return; }
  let image = q / size * params.groups + phase.group;
  let at = vec2u(q / phase.count.y % phase.count.x, q % phase.count.y) + phase.low;
  let stride = vec2u(params.strideH, params.strideW);
  let shift = vec2i((phase.first * vec2u(params.dilH, params.dilW) - phase.at) / stride);
  let top = vec2i(at) - shift;
  let to = at * stride + phase.at - vec2u(params.padH, params.padW);
  // Taps go up and to the lhs: counted from the last row and column.
  let bits = bitsOf(i32(params.outH) - 1 - top.x, params.outH, phase.taps.x, params.hopH)
    | (bitsOf(i32(params.outW) - 1 - top.y, params.outW, phase.taps.y, params.hopW) << phase.taps.x);
  let area = params.outH * params.outW;
  let result = image * (params.channels / params.groups) * params.height * params.width + to.x * params.width + to.y;
  *column = Column(i32(image * (params.filters / params.groups) * area) + top.x * i32(params.outW) + top.y, i32(bits),
    result);
}

@compute @workgroup_size(LANES)
fn backwardInputTiled(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let corner = tileOf(id);
  let phase = phaseOf(corner.z);
  if (corner.x * TILE_N >= params.batch * phase.count.x * phase.count.y) { return; }
  let channels = params.channels / params.groups;
  var column: Column;
  phaseColumn(corner.x * TILE_N + t % TILE_N, phase, &column);
  multiply(t, corner.y * TILE_M, channels, phaseProduct(phase, channels), column, params.height * params.width,
    phase.group * channels);
}

@compute @workgroup_size(64)
fn backwardInputThin(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let corner = tileOf(id);
  let phase = phaseOf(corner.z);
  if (corner.x * 64u >= params.batch * phase.count.x * phase.count.y) { return; }
  var column: Column;
  phaseColumn(corner.x * 64u + t, phase, &column);
  multiplyThin(t, phaseProduct(phase, THIN_M), column, params.height * params.width, phase.group * THIN_M);
}

// Part of the sum over output positions, into y: (parts, filters, terms + BIAS), the sum of dy last.
@compute @workgroup_size(LANES)
fn backwardWeightTiled(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let corner = tileOf(id);
  let part = corner.z % params.parts;
  let group = corner.z / params.parts;
  let filters = params.filters / params.groups;
  let channels = params.channels / params.groups;
  let area = params.outH * params.outW;
  let plane = params.height * params.width;
  let terms = channels * params.kh * params.kw;
  if (t < TILE_N) {
    let tap = coordinates(corner.x * TILE_N + t, params.kh, params.kw);
    taps[t] = vec2i(i32(tap.x * plane + tap.y * params.dilH * params.width + tap.z * params.dilW),
      i32(tapBits(tap.y, tap.z, params.kh)));
  }
  let start = part * params.chunk;
  let end = min(start + params.chunk, params.batch * area);
  let hop = coordinates(TILE_N, params.outH, params.outW);
  var c = coordinates(start + t, params.outH, params.outW);
  if (t < TILE_N) { writePosition(t, start + t < end, c, group); }
  workgroupBarrier();
  let row = corner.y * TILE_M;
  var loadedA: array<f32, LOADS_A>;
  var loadedB: array<f32, LOADS_B>;
  var acc: array<vec4f, TILE_SUMS>;
  var sum = 0.0;
  loadPositions(0u, t, row, end - start, &loadedA, &loadedB);
  for (var k = DEPTH; k < end - start + DEPTH; k += DEPTH) {
    for (var i = 0u; i < LOADS_A; i++) { // unroll
      tileA[t % DEPTH * PITCH_A + t % LANES / DEPTH + i * (LANES / DEPTH)] = loadedA[i];
    }
    for (var i = 0u; i < LOADS_B; i++) { // unroll
      tileB[t % DEPTH * PITCH_B + t % LANES / DEPTH + i * (LANES / DEPTH)] = loadedB[i];
    }
    if (k % TILE_N == 0u) {
      c += hop;
      c = carryCols(c, params.outW);
      c = carryRows(c, params.outH);
      if (t < TILE_N) { writePosition(t, start + k + t < end, c, group); }
    }
    workgroupBarrier();
    if (k < end - start) { loadPositions(k, t, row, end - start, &loadedA, &loadedB); }
    multiplyTiles(t, &acc);
    if (BIAS == 1u && corner.x == 0u) {
      for (var i = 0u; i < DEPTH; i++) { // unroll
        sum += tileA[i * PITCH_A + t % TILE_M];
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < ROWS4; i++) { // unroll
    for (var r = 0u; r < 4u; r++) { // unroll
      let at = row + 4u * (t / LANES_X + i * LANES_Y) + r;
      let start_ = (part * params.filters + group * filters + at) * (terms + BIAS);
      if (at < filters) {
        for (var j = 0u; j < COLS4; j++) { // unroll
          for (var n = 0u; n < 4u; n++) { // unroll
            let to = corner.x * TILE_N + 4u * (t % LANES_X + j * LANES_X) + n;
            if (to < terms) { y[start_ + to] = acc[(i * 4u + r) * COLS4 + j][n]; }
          }
        }
      }
    }
  }
  if (BIAS == 1u && corner.x == 0u && t < TILE_M && row + t < filters) {
    y[(part * params.filters + group * filters + row + t) * (terms + BIAS) + terms] = sum;
  }
}

fn writePosition(t: u32, isInside: bool, c: vec3u, group: u32) {
  let top = i32(c.y * params.strideH) - i32(params.padH);
  let start = i32(c.z * params.strideW) - i32(params.padW);
  let image = c.x * params.groups + group;
  inLhs[t] = image * (params.filters / params.groups) * params.outH * params.outW + c.y * params.outW + c.z;
  let plane = image * (params.channels / params.groups) * params.height * params.width;
  positions[t] = vec2i(i32(plane) + top * i32(params.width) + start,
    i32(select(0u, rowBits(top) | colBits(start), isInside)));
}

fn loadPositions(
  k: u32,
  t: u32,
  row: u32,
  count: u32,
  loadedA: ptr<function, array<f32, LOADS_A>>,
  loadedB: ptr<function, array<f32, LOADS_B>>,
) {
  let depth = t % DEPTH;
  let lane = t % LANES / DEPTH;
  let area = params.outH * params.outW;
  let at = inLhs[(k + depth) % TILE_N] + (row + lane) * area;
  for (var i = 0u; i < LOADS_A; i++) { // unroll
    loadedA[i] = select(0.0, lhsAt(at + i * (LANES / DEPTH) * area), k + depth < count);
  }
  let position = positions[(k + depth) % TILE_N];
  for (var i = 0u; i < LOADS_B; i++) { // unroll
    let tap = taps[lane + i * (LANES / DEPTH)];
    loadedB[i] = readRhs(position.x, position.y, tap);
  }
}

// Partial sums of SECTIONS sections of 16 elements.
var<workgroup> sections: array<f32, 512>;

// The same from rhs: (parts, filters, terms + BIAS), `span` at a time and then these sums, into dw = y and db.
// Workgroups of 16 elements.
@compute @workgroup_size(256)
fn combineWeightByLanes(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let columns = params.channels / params.groups * params.kh * params.kw + BIAS;
  let size = params.filters * columns;
  let element = (id.x + id.y * 32768u) * 16u + t % 16u;
  let count = ceilDiv(params.parts, params.span);
  for (var s = t / 16u; s < count; s += 16u) {
    let end = min(s * params.span + params.span, params.parts);
    var sum = 0.0;
    for (var i = s * params.span; i < end; i += 4u) {
      for (var n = 0u; n < 4u; n++) { // unroll
        sum += select(0.0, rhsAt((i + n) * size + element), i + n < end);
      }
    }
    sections[s % 32u * 16u + t % 16u] = sum;
  }
  workgroupBarrier();
  if (t >= 16u || element >= size) { return; }
  var sum = 0.0;
  for (var s = 0u; s < count; s++) { sum += sections[s % 32u * 16u + t]; }
  let row = element / columns;
  let col = element % columns;
  if (col + BIAS < columns) { y[row * (columns - BIAS) + col] = sum; }
  else { db[row] = sum; }
}
