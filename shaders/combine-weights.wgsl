// The sums of the parts of several gradients of convolution weights, each as combineWeight of conv2d.wgsl or
// conv2d-tiled.wgsl makes it: an element is the sum of its parts, `span` at a time and then these sums.
//   x0 .. x6  parts of a gradient: (parts, rows, columns), columns = terms + bias, the sum for the bias last
//   y         all gradients; that of a weight lies from dw on, that of a bias from db on
// use lib/index.wgsl

// first: the first workgroup of a job; those that are not there are past the grid.
struct Job { first: u32, parts: u32, span: u32, size: u32, columns: u32, bias: u32, dw: u32, db: u32 }
struct Params { jobs: array<Job, 7> }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x0: array<f32>;
@group(0) @binding(2) var<storage, read> x1: array<f32>;
@group(0) @binding(3) var<storage, read> x2: array<f32>;
@group(0) @binding(4) var<storage, read> x3: array<f32>;
@group(0) @binding(5) var<storage, read> x4: array<f32>;
@group(0) @binding(6) var<storage, read> x5: array<f32>;
@group(0) @binding(7) var<storage, read> x6: array<f32>;
@group(0) @binding(8) var<storage, read_write> y: array<f32>;

fn jobOf(group: u32) -> u32 {
  var job = 0u;
  for (var j = 1u; j < 7u; j++) { job = select(job, j, group >= params.jobs[j].first); }
  return job;
}

fn partAt(job: u32, at: u32) -> f32 {
  switch job {
    case 0u: { return x0[at]; }
    case 1u: { return x1[at]; }
    case 2u: { return x2[at]; }
    case 3u: { return x3[at]; }
    case 4u: { return x4[at]; }
    case 5u: { return x5[at]; }
    default: { return x6[at]; }
  }
}

fn put(job: u32, i: u32, sum: f32) {
  let columns = params.jobs[job].columns;
  let bias = params.jobs[job].bias;
  let row = i / columns;
  let col = i % columns;
  if (col + bias < columns) { y[params.jobs[job].dw + row * (columns - bias) + col] = sum; }
  else { y[params.jobs[job].db + row] = sum; }
}

// Workgroups of 64 elements.
@compute @workgroup_size(64)
fn plain(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let job = jobOf(linearGroup(id));
  let size = params.jobs[job].size;
  let i = (linearGroup(id) - params.jobs[job].first) * 64u + t;
  if (i >= size) { return; }
  var sum = 0.0;
  for (var s = 0u; s < params.jobs[job].parts; s++) { sum += partAt(job, s * size + i); }
  put(job, i, sum);
}

// The sums of up to 32 spans of 16 elements.
var<workgroup> sections: array<f32, 512>;

// Workgroups of 16 elements.
@compute @workgroup_size(256)
fn byLanes(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) id: vec3u) {
  let job = jobOf(linearGroup(id));
  let size = params.jobs[job].size;
  let span = params.jobs[job].span;
  let parts = params.jobs[job].parts;
  let i = (linearGroup(id) - params.jobs[job].first) * 16u + t % 16u;
  let count = (parts + span - 1u) / span;
  for (var s = t / 16u; s < count; s += 16u) {
    var sum = 0.0;
    for (var part = s * span; part < min(s * span + span, parts); part++) { sum += partAt(job, part * size + i); }
    sections[s % 32u * 16u + t % 16u] = sum;
  }
  workgroupBarrier();
  if (t >= 16u || i >= size) { return; }
  var sum = 0.0;
  for (var s = 0u; s < count; s++) { sum += sections[s % 32u * 16u + t]; }
  put(job, i, sum);
}
