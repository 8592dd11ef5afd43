// Pooling over windows of x: (planes, height, width), planes = batch * channels; y: (planes, outH, outW).
//   max: y = largest of the window, index = its position in the plane, the first of equals (padding never wins); NaN
//   where there is one, the last, as PyTorch's
//   average: y = sum of the window / its size, padding counted or not
// Windows are a kernel of taps moved by a stride, or (ADAPTIVE) as many even parts of each axis as y is long.
// Backward gathers unless windows tile the image: each input element looks at the windows that cover it, so nothing is
// added atomically. One invocation per element of the result; grid (its size).
// use lib/index.wgsl
// use lib/nan.wgsl

// backward: 1 for the gradient of max, 0 for that of the average
override MAX: u32 = 0u;
override ADAPTIVE: u32 = 0u;
// Every tap of a window lies in the image, side by side with the next.
override INSIDE: u32 = 0u;
override COUNT_PADDING: u32 = 1u;
override MASK: u32 = 0u;

struct Params { planes: u32, size: vec2u, out: vec2u, kernel: vec2u, stride: vec2u, pad: vec2u, dilation: vec2u }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> chosen: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> index: array<u32>;

// Part `at` of `count` even parts of an axis of length `size`: first and end; neighbours may overlap by one.
fn part(at: vec2u, count: vec2u, size: vec2u) -> vec4u {
  return vec4u(at * size / count, ((at + 1u) * size + count - 1u) / count);
}

// (first row, first column, end row, end column) of window `at`, inside the image; taps are a dilation apart.
fn span(at: vec2u) -> vec4u {
  if (ADAPTIVE == 1u) { return part(at, params.out, params.size); }
  let start = at * params.stride;
  if (INSIDE == 1u) { return vec4u(start, start + params.kernel); }
  let skipped = (max(params.pad, start) - start + params.dilation - 1u) / params.dilation;
  let end = min(start + (params.kernel - 1u) * params.dilation + 1u, params.size + params.pad);
  return vec4u(start + skipped * params.dilation, end) - vec4u(params.pad, params.pad);
}

// The windows that cover position `at` (with a dilation: and some between whose taps it lies), in the same order.
fn windows(at: vec2u) -> vec4u {
  if (ADAPTIVE == 1u) { return part(at, params.size, params.out); }
  let p = at + params.pad;
  let reach = (params.kernel - 1u) * params.dilation + 1u;
  return vec4u(select((p - reach) / params.stride + 1u, vec2u(), p < reach), min(p / params.stride + 1u, params.out));
}

// 1 / number of elements of window `at`; padding is counted as far as it goes.
fn weight(at: vec2u, s: vec4u) -> f32 {
  var sides = s.zw - s.xy;
  if (COUNT_PADDING == 1u && ADAPTIVE == 0u) {
    sides = min(params.kernel, params.size + 2u * params.pad - at * params.stride);
  }
  return 1.0 / f32(sides.x * sides.y);
}

// (row, column) of element i of planes of a size, and in z the start of the same plane where planes have `other`
// elements.
fn place(i: u32, size: vec2u, other: u32) -> vec3u {
  let row = i / size.y;
  let plane = row / size.x;
  return vec3u(row - plane * size.x, i - row * size.y, plane * other);
}

// Window i of y: its place, and the start of its plane in x, in `at`; what it spans.
struct Window { at: vec3u, span: vec4u }

fn windowOf(i: u32) -> Window {
  let at = place(i, params.out, params.size.x * params.size.y);
  return Window(at, span(at.xy));
}

fn numWindows() -> u32 { return params.planes * params.out.x * params.out.y; }

@compute @workgroup_size(64)
fn forwardMax(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= numWindows()) { return; }
  let window = windowOf(i);
  let plane = window.at.z;
  let s = window.span;
  var where_ = s.x * params.size.y + s.y;
  var best = x[plane + where_];
  // NaN where an element is, or where infinities of both signs are.
  var sum = 0.0;
  for (var r = s.x; r < s.z; r += params.dilation.x) {
    for (var c = s.y; c < s.w; c += params.dilation.y) {
      let v = x[plane + r * params.size.y + c];
      sum += v;
      if (v > best) {
        best = v;
        where_ = r * params.size.y + c;
      }
    }
  }
  if (isNan(sum)) {
    for (var r = s.x; r < s.z; r += params.dilation.x) {
      for (var c = s.y; c < s.w; c += params.dilation.y) {
        let position = r * params.size.y + c;
        where_ = select(where_, position, isNan(x[plane + position]));
      }
    }
    best = x[plane + where_];
  }
  y[i] = best;
  index[i] = where_;
}

@compute @workgroup_size(64)
fn forwardAverage(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= numWindows()) { return; }
  let window = windowOf(i);
  let s = window.span;
  var sum = 0.0;
  for (var r = s.x; r < s.z; r++) {
    for (var c = s.y; c < s.w; c++) { sum += x[window.at.z + r * params.size.y + c]; }
  }
  y[i] = sum * weight(window.at.xy, s);
}

// y[window] = x[chosen[window]]: how the output of max changes with its input.
@compute @workgroup_size(64)
fn pick(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let area = params.out.x * params.out.y;
  if (i >= params.planes * area) { return; }
  y[i] = x[i / area * params.size.x * params.size.y + chosen[i]];
}

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  let plane = params.size.x * params.size.y;
  if (i >= params.planes * plane) { return; }
  let at = place(i, params.size, params.out.x * params.out.y);
  let covering = windows(at.xy);
  var sum = 0.0;
  for (var r = covering.x; r < covering.z; r++) {
    for (var c = covering.y; c < covering.w; c++) {
      let o = at.z + r * params.out.y + c;
      if (MAX == 1u) { sum += select(0.0, dy[o], chosen[o] == at.x * params.size.y + at.y); }
      else { sum += dy[o] * weight(vec2u(r, c), span(vec2u(r, c))); }
    }
  }
  if (MASK == 1u) { sum = select(0.0, sum, passes(x[i])); }
  y[i] = sum;
}

// backward where each input element lies in exactly one window: one invocation per window, which writes its elements.
@compute @workgroup_size(64)
fn backwardTiled(@builtin(global_invocation_id) id: vec3u) {
  let o = linearIndex(id);
  if (o >= numWindows()) { return; }
  let window = windowOf(o);
  let plane = window.at.z;
  let s = window.span;
  var taken = 0u;
  var share = dy[o];
  if (MAX == 1u) {
    taken = chosen[o];
    if (MASK == 1u) { share = select(0.0, share, passes(x[plane + taken])); }
  } else {
    share *= weight(window.at.xy, s);
  }
  for (var r = s.x; r < s.z; r++) {
    for (var c = s.y; c < s.w; c++) {
      let position = r * params.size.y + c;
      if (MAX == 1u) { y[plane + position] = select(0.0, share, position == taken); }
      else if (MASK == 1u) { y[plane + position] = select(0.0, share, passes(x[plane + position])); }
      else { y[plane + position] = share; }
    }
  }
}
