// Logits z: (rows, classes) that a loss composed of many ops can take, and what its values then stand for; `weight`:
// (rows).
//   hold      y = z in a row of finite logits, kind 0. Else, by the row:
//             kind 1, weight 0: 0 in place of what is not finite
//             kind 2, an entry NaN or +Infinity, or all -Infinity: NaN throughout
//             kind 3, some entries -Infinity: -1e37 in their place, which is finite and whose softmax is 0
//   through   y = dy, the gradient of `hold`; 0 in rows of kind 1, NaN in those of kind 2
//   weigh     y = weight v, 0 where the weight is; in rows of kind 2 NaN, in those of kind 3 an infinity for |v| >=
//   1e28
// Rows of `hold` and `through` by lanes (lib/lanes.wgsl), one invocation a row of `weigh`; grid (rows).
// use lib/lanes.wgsl
// use lib/times.wgsl

// 0: all rows of `weigh` are of kind 0
override KINDS: u32 = 1u;
// 1: `hold` leaves the entries of kind 3 as they are
override KEEPS_MASKED: u32 = 0u;

struct Params { rows: u32, classes: u32, infinity: u32, nan: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> kinds: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> found: array<u32>;

fn isZero(v: f32) -> bool { return (bitcast<u32>(v) << 1u) == 0u; }
fn isFinite(v: f32) -> bool { return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u; }

// Entries that are -Infinity, and whether others are not finite.
struct Acc { masked: u32, bad: u32 }

fn join(a: Acc, b: Acc) -> Acc { return Acc(a.masked + b.masked, a.bad | b.bad); }

@compute @workgroup_size(GROUP)
fn hold(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let base = p.row * params.classes;
  let n = select(0u, params.classes, p.row < params.rows);
  var own = Acc();
  for (var c = p.lane; c < n; c += hop()) {
    let v = z[base + c];
    if (!isFinite(v)) {
      if (bitcast<u32>(v) == 0xff800000u) { own.masked++; } else { own.bad = 1u; }
    }
  }
  let all = across(p, own, Acc());
  var kind = 0u;
  if (all.bad + all.masked > 0u) {
    kind = select(3u, 2u, all.bad > 0u || all.masked == n);
    if (isZero(weight[p.row])) { kind = 1u; }
  }
  for (var c = p.lane; c < n; c += hop()) {
    let v = z[base + c];
    let instead = select(-1e37, 0.0, kind == 1u);
    let stays = isFinite(v) || (KEEPS_MASKED == 1u && kind == 3u);
    y[base + c] = select(select(instead, v, stays), bitcast<f32>(params.nan), kind == 2u);
  }
  if (p.lane == 0u && p.row < params.rows) { found[p.row] = kind; }
}

@compute @workgroup_size(GROUP)
fn through(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let base = p.row * params.classes;
  let n = select(0u, params.classes, p.row < params.rows);
  let kind = kinds[p.row];
  for (var c = p.lane; c < n; c += hop()) {
    y[base + c] = select(select(z[base + c], 0.0, kind == 1u), bitcast<f32>(params.nan), kind == 2u);
  }
}

@compute @workgroup_size(64)
fn weigh(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  if (row >= params.rows) { return; }
  let v = z[row];
  var value = times(weight[row], v);
  if (KINDS == 1u) {
    let kind = select(kinds[row], 1u, isZero(weight[row]));
    let infinite = bitcast<f32>((bitcast<u32>(v) & 0x80000000u) | params.infinity);
    value = select(value, infinite, kind == 3u && abs(v) >= 1e28);
    value = select(value, bitcast<f32>(params.nan), kind == 2u);
  }
  y[row] = value;
}
