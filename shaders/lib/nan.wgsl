// NaN by its bits: a compiler may assume that there is none, and then v != v is false, and max, min, clamp and
// comparisons give anything. A select keeps the bits of what it takes. (No parameter has the name of a binding:
// reflection would take it for one.)

fn isNan(v: f32) -> bool { return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u; }
fn isNan4(v: vec4f) -> vec4<bool> { return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u); }

// v, or u where that is NaN.
fn orNan(v: f32, u: f32) -> f32 { return select(v, u, isNan(u)); }
fn orNan4(v: vec4f, u: vec4f) -> vec4f { return select(v, u, isNan4(u)); }

// Where relu lets a gradient through: above 0, and at NaN.
fn passes(v: f32) -> bool { return v > 0.0 || isNan(v); }
fn passes4(v: vec4f) -> vec4<bool> { return (v > vec4f()) | isNan4(v); }

// The larger and the smaller of v and u; NaN where one is.
fn maxOf(v: f32, u: f32) -> f32 { return orNan(orNan(max(v, u), u), v); }
fn minOf(v: f32, u: f32) -> f32 { return orNan(orNan(min(v, u), u), v); }
fn maxOf4(v: vec4f, u: vec4f) -> vec4f { return orNan4(orNan4(max(v, u), u), v); }
fn minOf4(v: vec4f, u: vec4f) -> vec4f { return orNan4(orNan4(min(v, u), u), v); }
