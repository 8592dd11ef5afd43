// NaN by its bits: a compiler may assume that there is none, and then v != v is false, and max, min, clamp and comparisons give
// anything. A select keeps the bits of what it takes.

fn isNan(v: f32) -> bool { return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u; }
fn isNan4(v: vec4f) -> vec4<bool> { return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u); }

// y, or x where that is NaN.
fn orNan(y: f32, x: f32) -> f32 { return select(y, x, isNan(x)); }
fn orNan4(y: vec4f, x: vec4f) -> vec4f { return select(y, x, isNan4(x)); }

// Where relu lets a gradient through: above 0, and at NaN.
fn passes(y: f32) -> bool { return y > 0.0 || isNan(y); }
fn passes4(y: vec4f) -> vec4<bool> { return (y > vec4f()) | isNan4(y); }

// The larger and the smaller of a and b; NaN where one is.
fn maxOf(a: f32, b: f32) -> f32 { return orNan(orNan(max(a, b), b), a); }
fn minOf(a: f32, b: f32) -> f32 { return orNan(orNan(min(a, b), b), a); }
fn maxOf4(a: vec4f, b: vec4f) -> vec4f { return orNan4(orNan4(max(a, b), b), a); }
fn minOf4(a: vec4f, b: vec4f) -> vec4f { return orNan4(orNan4(min(a, b), b), a); }
