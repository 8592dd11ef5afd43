// What updates of a parameter arena share. One word of `blocks` speaks for 64 elements (16 quads), since parameters
// start at multiples of 64: bit 0 says trained, bit 1 that weight decay applies, bits 2 to 9 are the row of `hyper`,
// 8 numbers, that holds its settings, the rest is the number of the parameter. A row before these begins with a number
// that is not 0 where the step is skipped.

fn blockOf(quad: u32) -> u32 { return quad / 16u; }

// The gaps between parameters and frozen parameters are not trained: neither they nor their slots ever change. None is
// in a step that is skipped.
fn isTrained(word: u32) -> bool { return (word & 1u) != 0u && hyper[0] == 0.0; }

fn parameterOf(word: u32) -> u32 { return word >> 10u; }

// Where the settings start in `hyper`.
fn rowOf(word: u32) -> u32 { return ((word >> 2u) & 255u) * 8u + 8u; }

fn decayOf(word: u32, decay: f32) -> f32 { return select(0.0, decay, (word & 2u) != 0u); }

// The gradient to descend on: negated (sign -1) to maximise, plus the derivative decay p of an L2 penalty.
fn descent(g: vec4f, p: vec4f, sign: f32, decay: f32) -> vec4f { return sign * g + decay * p; }
