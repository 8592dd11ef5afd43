// w v, but 0 where w is 0 and v is not finite: a term whose factor is 0 counts for nothing. By bits, as in nan.wgsl.
fn times(w: f32, v: f32) -> f32 {
  let y = w * v;
  return select(y, 0.0, (bitcast<u32>(w) << 1u) == 0u && (bitcast<u32>(y) & 0x7fffffffu) > 0x7f800000u);
}
