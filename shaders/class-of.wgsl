// y[r] = the class of row r of z, (rows, classes), or -1 where it has none (lib/vote.wgsl). One invocation a row; grid
// (rows).
// use lib/index.wgsl
// use lib/vote.wgsl

struct Params { rows: u32, classes: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<i32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let row = linearIndex(id);
  if (row >= params.rows) { return; }
  let base = row * params.classes;
  var vote = firstVote(z[base]);
  for (var c = 1u; c < params.classes; c++) { vote = voted(vote, z[base + c], c); }
  y[row] = select(-1, i32(vote.at), hasClass(vote));
}
