// Copies between a dense tensor and a strided view of another one. Element i of the view lies at
//   offset + sum over axes r of (position of i along r) * stride[r]        (modulo 2^32, so strides may be negative)
//   take       y[i] = x[place of i]: permuted, sliced, reversed or repeated axes
//   place      y[place of i] = x[i]; the view holds no element twice
//   transpose  either, where elements that are neighbours in x lie apart in y: tiles of 32 x 32 through workgroup
//              memory, so that both are read and written in runs. Axis 0 is the one along which x steps by 1, axis 1
//              the one along which y does; an element lies at the sum over axes of position * stride in x, and
//              of position * toStride in y, plus the offsets.
// Axes are listed from the last to the first. Elements are copied bit by bit; one invocation each, grid (size);
// transpose: a workgroup of 32 x 8 a tile, grid (32 * tiles).
// use lib/index.wgsl

const RANK = 2u; // variant

struct Params {
  size: u32,
  offset: u32,
  toOffset: u32,
  shape: array<vec4u, 4>,
  stride: array<vec4u, 4>,
  toStride: array<vec4u, 4>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

fn placeOf(i: u32) -> u32 {
  var rest = i;
  var at = params.offset;
  for (var r = 0u; r < RANK; r++) { // unroll
    let next = rest / params.shape[r / 4u][r % 4u];
    at += (rest - next * params.shape[r / 4u][r % 4u]) * params.stride[r / 4u][r % 4u];
    rest = next;
  }
  return at;
}

@compute @workgroup_size(64)
fn take(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  y[i] = x[placeOf(i)];
}

@compute @workgroup_size(64)
fn place(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.size) { return; }
  y[placeOf(i)] = x[i];
}

const SIDE = 32u;
// A column to spare, so that lanes read a column from different banks.
const PITCH = 33u;

var<workgroup> tile: array<u32, 1056>;

@compute @workgroup_size(32, 8)
fn transpose(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  let n = params.shape[0];
  let across = (n.x + SIDE - 1u) / SIDE;
  let down = (n.y + SIDE - 1u) / SIDE;
  var rest = linearGroup(group);
  let row = rest / across;
  let first = (rest - row * across) * SIDE;
  rest = row / down;
  let second = (row - rest * down) * SIDE;
  var from_ = params.offset;
  var to = params.toOffset;
  for (var r = 2u; r < RANK; r++) {
    let next = rest / params.shape[r / 4u][r % 4u];
    let at = rest - next * params.shape[r / 4u][r % 4u];
    from_ += at * params.stride[r / 4u][r % 4u];
    to += at * params.toStride[r / 4u][r % 4u];
    rest = next;
  }
  if (rest > 0u) { return; }
  for (var j = lane.y; j < SIDE; j += 8u) {
    let a = first + lane.x;
    let b = second + j;
    if (a < n.x && b < n.y) {
      tile[j * PITCH + lane.x] = x[from_ + a * params.stride[0].x + b * params.stride[0].y];
    }
  }
  workgroupBarrier();
  for (var j = lane.y; j < SIDE; j += 8u) {
    let a = first + j;
    let b = second + lane.x;
    if (a < n.x && b < n.y) {
      y[to + a * params.toStride[0].x + b * params.toStride[0].y] = tile[lane.x * PITCH + j];
    }
  }
}
