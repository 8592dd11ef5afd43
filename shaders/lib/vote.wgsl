// The class of a row of logits z_0, z_1, ..: the first of the largest. A row with a NaN, or whose largest value is an
// infinity that two of them share, has no class; NaN and infinities are told by their bits. Use: var v =
// firstVote(z_0), v = voted(v, z_c, c) for c = 1, 2, .., then hasClass(v) and v.at. Parts of a row are joined in any
// order.

struct Vote { best: f32, at: u32, count: u32, isNan: bool }

fn firstVote(z: f32) -> Vote { return Vote(z, 0u, 1u, (bitcast<u32>(z) & 0x7fffffffu) > 0x7f800000u); }

fn voted(v: Vote, z: f32, c: u32) -> Vote {
  let bits = bitcast<u32>(z);
  let isNan = v.isNan || (bits & 0x7fffffffu) > 0x7f800000u;
  if (bits == bitcast<u32>(v.best)) { return Vote(v.best, v.at, v.count + 1u, isNan); }
  if (z > v.best) { return Vote(z, c, 1u, isNan); }
  return Vote(v.best, v.at, v.count, isNan);
}

fn joinedVotes(v: Vote, u: Vote) -> Vote {
  let isNan = v.isNan || u.isNan;
  if (bitcast<u32>(v.best) == bitcast<u32>(u.best)) {
    return Vote(v.best, min(v.at, u.at), v.count + u.count, isNan);
  }
  if (u.best > v.best || (!(v.best > u.best) && u.at < v.at)) { return Vote(u.best, u.at, u.count, isNan); }
  return Vote(v.best, v.at, v.count, isNan);
}

fn hasClass(v: Vote) -> bool {
  let isInfinite = (bitcast<u32>(v.best) & 0x7fffffffu) == 0x7f800000u;
  return !v.isNan && !(isInfinite && v.count > 1u);
}
