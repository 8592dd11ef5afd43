// Linear index of an invocation in a one-dimensional grid of workgroups of 64. The host folds grids over 65,535
// workgroups into rows of 32,768 (src/gpu/kernel.ts).
fn linearIndex(id: vec3u) -> u32 {
  return id.x + id.y * 2097152u;
}

// Number of a workgroup in such a grid, of whatever size it is.
fn linearGroup(group: vec3u) -> u32 {
  return group.x + group.y * 32768u;
}
