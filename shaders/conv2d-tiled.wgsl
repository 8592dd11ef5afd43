// The products of shaders/conv2d.wgsl for GPUs: the same sums in the same order, tiled through workgroup
// memory, or where a group has up to four rows (depthwise) with one column an invocation.
//   forward         left = w, right = x, rows filters, columns output positions
//   backwardInput   left = w, right = dy, rows channels, columns input positions of one phase of the stride
//   backwardWeight  left = dy, right = x, rows filters, columns taps (channel, r, c); terms output positions of a part
// An element of `right` lies at the place of a position plus the offset of a tap. A tap has one bit for its row in the
// window and one for its column, a position the bits of those inside the image: the element counts where none is
// missing. What is known of the next TILE_N terms lies in workgroup memory. A window has up to 30 rows and columns
// together, and LANES is a multiple of TILE_N and of DEPTH.
// use lib/nan.wgsl
// use lib/taps.wgsl

override RELU: u32 = 0u;
override MASK: u32 = 0u;
override BIAS: u32 = 1u;
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
const SUMS = ROWS4 * COLS4 * 4u;
// Four more, so that invocations with different terms write to different banks.
const PITCH_A = TILE_M + 4u;
const PITCH_B = TILE_N + 4u;

var<workgroup> tileA: array<f32, DEPTH * PITCH_A>;
var<workgroup> tileB: array<f32, DEPTH * PITCH_B>;

struct Params {
  batch: u32, channels: u32, height: u32, width: u32,
  filters: u32, outH: u32, outW: u32, groups: u32,
  kh: u32, kw: u32, strideH: u32, strideW: u32, padH: u32, padW: u32, dilH: u32, dilW: u32,
  chunk: u32, parts: u32, tapH: u32, tapW: u32, hopH: u32, hopW: u32,
  span: u32, fold: u32, folds: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> left: array<f32>;
@group(0) @binding(2) var<storage, read> right: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> mask: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> db: array<f32>;

// Bits of a term past the last.
const NO_TAP = 0x40000000u;
const NO_PLACE = 0xffffffffu;

// Of TILE_N terms: where they lie in a row of `left`.
var<workgroup> inLeft: array<u32, TILE_N>;
// Offset and bits of taps: of TILE_N terms (indices may seem to exceed them), in backwardWeight of all columns.
var<workgroup> taps: array<vec2i, TILE_N + DEPTH>;
// Place and bits of TILE_N positions.
var<workgroup> positions: array<vec2i, TILE_N>;
// Where row 0 of each column is written.
var<workgroup> results: array<u32, TILE_N>;

// (block of columns, block of rows, layer) of a workgroup. Blocks past the widest grid go on in the next layer.
fn blockOf(id: vec3u) -> vec3u {
  return vec3u(id.x + id.z % params.folds * params.fold, id.y, id.z / params.folds);
}

// The lockstep run of the tests shares what functions return among invocations: those with other arguments in each are
// of one line, which it writes out, or give their result to a pointer.

fn readRight(place: i32, inside: i32, tap: vec2i) -> f32 { return readTap(place + tap.x, (inside & tap.y) == tap.y); }
fn readTap(at: i32, isInside: bool) -> f32 { return select(0.0, right[at], isInside); }

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
// step of each coordinate is in `left` and `right`. A row of `left` begins at first + i * pitch.
struct Product { terms: u32, rows: u32, cols: u32, inLeft: vec3u, inRight: vec3i, first: u32, pitch: u32 }

// A column of forward and backwardInput: its place in `right`, bits of the taps inside, and where its row 0 is written.
struct Column { place: i32, bits: i32, result: u32 }

fn writeTerm(t: u32, k: u32, c: vec3u, product: Product) {
  inLeft[t] = dot(c, product.inLeft);
  let bits = select(tapBits(c.y, c.z, product.rows), NO_TAP, k >= product.terms);
  taps[t] = vec2i(dot(vec3i(c), product.inRight), i32(bits));
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
  let at = product.first + (row + t / DEPTH) * product.pitch + inLeft[(k + depth) % TILE_N];
  for (var i = 0u; i < LOADS_A; i++) { // unroll
    loadedA[i] = select(0.0, left[at + i * (LANES / DEPTH) * product.pitch], k + depth < product.terms);
  }
  let layer = k % TILE_N + t % LANES / TILE_N * LOADS_B;
  for (var i = 0u; i < LOADS_B; i++) { // unroll
    let tap = taps[layer + i];
    loadedB[i] = readRight(column.place, column.bits, tap);
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
  var acc: array<vec4f, SUMS>;
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
            put(results[4u * (t % LANES_X + j * LANES_X) + n], at * step, acc[(i * 4u + r) * COLS4 + j][n], shift + at);
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
        let v = readRight(column.place, column.bits, tap);
        let at = product.first + inLeft[i + n];
        for (var m = 0u; m < THIN_M; m++) { // unroll
          acc[m] = fma(select(0.0, left[at + m * product.pitch], k + i + n < product.terms), v, acc[m]);
        }
      }
    }
    workgroupBarrier();
  }
  for (var m = 0u; m < THIN_M; m++) { // unroll
    put(column.result, m * step, acc[m], shift + m);
  }
}

// Adds the products of the DEPTH terms in the tiles: acc[(4 i + r) COLS4 + j] are four columns of row r of vector i.
fn multiplyTiles(t: u32, acc: ptr<function, array<vec4f, SUMS>>) {
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

fn put(result: u32, offset: u32, sum: f32, channel: u32) {
  if (result == NO_PLACE) { return; }
  var v = sum;
  if (BIAS == 1u) { v += bias[channel]; }
  if (RELU == 1u) { v = orNan(max(v, 0.0), v); }
  if (MASK == 1u) { v = select(0.0, v, passes(mask[result + offset])); }
  y[result + offset] = v;
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
fn forward(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let corner = blockOf(id);
  let filters = params.filters / params.groups;
  var column: Column;
  patchColumn(corner.x * TILE_N + t % TILE_N, corner.z, &column);
  multiply(t, corner.y * TILE_M, filters, patchProduct(corner.z, filters), column, params.outH * params.outW,
    corner.z * filters);
}

@compute @workgroup_size(64)
fn forwardThin(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let corner = blockOf(id);
  var column: Column;
  patchColumn(corner.x * 64u + t, corner.z, &column);
  multiplyThin(t, patchProduct(corner.z, THIN_M), column, params.outH * params.outW, corner.z * THIN_M);
}

// The phase of layer z of backwardInput (see there in shaders/conv2d.wgsl): its input rows and columns are
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
  // Taps go up and to the left: counted from the last row and column.
  let bits = bitsOf(i32(params.outH) - 1 - top.x, params.outH, phase.taps.x, params.hopH)
    | (bitsOf(i32(params.outW) - 1 - top.y, params.outW, phase.taps.y, params.hopW) << phase.taps.x);
  let area = params.outH * params.outW;
  let result = image * (params.channels / params.groups) * params.height * params.width + to.x * params.width + to.y;
  *column = Column(i32(image * (params.filters / params.groups) * area) + top.x * i32(params.outW) + top.y, i32(bits),
    result);
}

@compute @workgroup_size(LANES)
fn backwardInput(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let corner = blockOf(id);
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
  let corner = blockOf(id);
  let phase = phaseOf(corner.z);
  if (corner.x * 64u >= params.batch * phase.count.x * phase.count.y) { return; }
  var column: Column;
  phaseColumn(corner.x * 64u + t, phase, &column);
  multiplyThin(t, phaseProduct(phase, THIN_M), column, params.height * params.width, phase.group * THIN_M);
}

// Part of the sum over output positions, into y: (parts, filters, terms + BIAS), the sum of dy last.
@compute @workgroup_size(LANES)
fn backwardWeight(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let corner = blockOf(id);
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
  var acc: array<vec4f, SUMS>;
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
  inLeft[t] = image * (params.filters / params.groups) * params.outH * params.outW + c.y * params.outW + c.z;
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
  let at = inLeft[(k + depth) % TILE_N] + (row + lane) * area;
  for (var i = 0u; i < LOADS_A; i++) { // unroll
    loadedA[i] = select(0.0, left[at + i * (LANES / DEPTH) * area], k + depth < count);
  }
  let position = positions[(k + depth) % TILE_N];
  for (var i = 0u; i < LOADS_B; i++) { // unroll
    let tap = taps[lane + i * (LANES / DEPTH)];
    loadedB[i] = readRight(position.x, position.y, tap);
  }
}

// Partial sums of SECTIONS sections of 16 elements.
var<workgroup> sections: array<f32, 512>;

// Adds the parts in right: (parts, filters, terms + BIAS), `span` at a time and then these sums, into dw = y and db.
// Workgroups of 16 elements.
@compute @workgroup_size(256)
fn combineWeight(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let columns = params.channels / params.groups * params.kh * params.kw + BIAS;
  let size = params.filters * columns;
  let element = (id.x + id.y * 32768u) * 16u + t % 16u;
  let count = ceilDiv(params.parts, params.span);
  for (var s = t / 16u; s < count; s += 16u) {
    let end = min(s * params.span + params.span, params.parts);
    var sum = 0.0;
    for (var i = s * params.span; i < end; i += 4u) {
      for (var n = 0u; n < 4u; n++) { // unroll
        sum += select(0.0, right[(i + n) * size + element], i + n < end);
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
