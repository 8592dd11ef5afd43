// Counting through the terms of a convolution, (outer, row, column) with `column` fastest; counting is cheaper than
// dividing.

// The term after t.
fn advance(t: vec3u, rows: u32, cols: u32) -> vec3u {
  let wrapC = t.z + 1u == cols;
  let wrapR = wrapC && t.y + 1u == rows;
  return vec3u(t.x + u32(wrapR), select(t.y + u32(wrapC), 0u, wrapR), select(t.z + 1u, 0u, wrapC));
}

// Four terms in a row, by coordinate, and the one after them.
struct Terms { outer: vec4u, row: vec4u, col: vec4u, next: vec3u }

// The four terms from t on; outer coordinates past the last stay there.
fn fourTerms(t: vec3u, last: u32, rows: u32, cols: u32) -> Terms {
  let b = advance(t, rows, cols);
  let c = advance(b, rows, cols);
  let d = advance(c, rows, cols);
  return Terms(min(vec4u(t.x, b.x, c.x, d.x), vec4u(last)), vec4u(t.y, b.y, c.y, d.y), vec4u(t.z, b.z, c.z, d.z),
    advance(d, rows, cols));
}

// The first tap r with r * dilation = phase (mod stride), or 2^16 when there is none.
fn firstTap(phase: u32, dilation: u32, stride: u32) -> u32 {
  for (var r = 0u; r < stride; r++) {
    if (r * dilation % stride == phase) { return r; }
  }
  return 65536u;
}

fn ceilDiv(a: u32, b: u32) -> u32 { return (a + b - 1u) / b; }

// i, i + 1, i + 2, i + 3.
fn lanes(i: u32) -> vec4u { return vec4u(i) + vec4u(0u, 1u, 2u, 3u); }
