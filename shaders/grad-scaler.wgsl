// The loss scale of mixed precision. found is not 0 where a scaled gradient is not finite (shaders/anomaly.wgsl).
//   unscale  g = g / scale, or 0 where one was found; four elements an invocation, grid (size / 4)
//   update   one was found: scale / 2, at least LEAST, and the step counts as skipped; else after `interval` steps in a
//            row scale * 2, at most MOST; grid (1)
// state = scale, steps in a row, steps skipped in all; skip = 1 where the step at hand is skipped. The scale is a power
// of two, so it rounds nothing.
// use lib/index.wgsl

struct Params { quads: u32, interval: f32 }

// src/optim/grad-scaler.ts agrees.
const LEAST = 0x1p-14f;
const MOST = 0x1p+32f;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> state: array<f32>;
@group(0) @binding(2) var<storage, read_write> found: array<u32>;
@group(0) @binding(3) var<storage, read_write> skip: array<f32>;
@group(0) @binding(4) var<storage, read_write> g: array<vec4f>;

@compute @workgroup_size(64)
fn unscale(@builtin(global_invocation_id) id: vec3u) {
  let i = linearIndex(id);
  if (i >= params.quads) { return; }
  if (i == 0u) { skip[0] = select(0.0, 1.0, found[0] != 0u); }
  g[i] = select(g[i] / state[0], vec4f(), found[0] != 0u);
}

@compute @workgroup_size(1)
fn update() {
  if (found[0] != 0u) {
    state[0] = max(state[0] / 2.0, LEAST);
    state[1] = 0.0;
    state[2] += 1.0;
  } else {
    state[1] += 1.0;
    if (state[1] >= params.interval) {
      state[0] = min(state[0] * 2.0, MOST);
      state[1] = 0.0;
    }
  }
  found[0] = 0u;
}
