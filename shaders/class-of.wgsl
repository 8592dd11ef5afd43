// y[r] = the class of row r of z, (rows, classes), or -1 where it has none (lib/vote.wgsl). Rows by lanes
// (lib/lanes.wgsl); grid (rows).
// use lib/lanes.wgsl
// use lib/vote.wgsl

struct Params { rows: u32, classes: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<i32>;

struct Acc { vote: Vote }

fn join(a: Acc, b: Acc) -> Acc { return Acc(joinedVotes(a.vote, b.vote)); }

@compute @workgroup_size(GROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let p = placeOf(id, t);
  let base = p.row * params.classes;
  let n = select(0u, params.classes, p.row < params.rows);
  var vote = firstVote(z[base]);
  let none = Acc(Vote(vote.best, 0u, 0u, vote.isNan));
  if (p.lane > 0u) { vote = none.vote; }
  for (var c = afterFirst(p); c < n; c += hop()) { vote = voted(vote, z[base + c], c); }
  let all = across(p, Acc(vote), none);
  if (n > 0u && p.lane == 0u) { y[p.row] = select(-1, i32(all.vote.at), hasClass(all.vote)); }
}
