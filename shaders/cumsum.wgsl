// Running sum along the middle axis of x, (outer, length, inner), in `parts` pieces of `chunk` elements. REVERSE counts
// from the end.
//   y[o, l, i] = before[o, part, i] + sum of x[o, m, i] over m in the piece with m <= l (EXCLUSIVE: m < l)
//   y[o, part, i] = sum over the piece                                                                    TOTALS = 1
// A long axis takes three steps: the totals, their running sum (exclusive), and the pieces with it as `before`.
// The order of additions is that of a workgroup that shares a piece, in both forms: a piece is tiles of 64 spans of
// SPAN elements, at most 8. A span adds its elements to what is before it: carry + (the spans of the tile before it, in
// order from 0), where the sum of a span is taken from 0; the carry of the next tile is carry + (all its spans).
//   alone    an invocation per piece; grid (outer * parts * inner)
//   shared_  a workgroup per piece; grid (64 * outer * parts * inner)
// use lib/index.wgsl

alias Element = f32; // variant
override REVERSE: u32 = 0u;
override EXCLUSIVE: u32 = 0u;
override BEFORE: u32 = 0u;
override TOTALS: u32 = 0u;

const SPAN = 8u; // variant
const SPANS = 64u;
const TILE = SPAN * 64u;

struct Params { outer: u32, length: u32, inner: u32, chunk: u32, parts: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> before: array<Element>;
@group(0) @binding(3) var<storage, read_write> y: array<Element>;

// Each span has a place to spare, so that lanes read theirs from different banks.
var<workgroup> tile: array<Element, 576>;
var<workgroup> sums: array<Element, SPANS>;

// Place of the first element of a piece, number of its elements, distance of neighbours (modulo 2^32).
struct Piece { start: u32, size: u32, step: u32 }

fn pieceOf(at: u32) -> Piece {
  let run = at / params.inner;
  let row = run / params.parts;
  let begin = (run - row * params.parts) * params.chunk;
  let first = select(begin, params.length - 1u - begin, REVERSE == 1u);
  return Piece(
    (row * params.length + first) * params.inner + at - run * params.inner,
    min(params.chunk, params.length - begin),
    select(params.inner, 0u - params.inner, REVERSE == 1u),
  );
}

// The next element: into the total of its span and, unless TOTALS, its sum into y.
fn take(p: u32, sum: ptr<function, Element>, span: ptr<function, Element>) {
  let v = x[p];
  *span += v;
  if (TOTALS == 0u) {
    let next = *sum + v;
    y[p] = select(next, *sum, EXCLUSIVE == 1u);
    *sum = next;
  }
}

@compute @workgroup_size(64)
fn alone(@builtin(global_invocation_id) id: vec3u) {
  let at = linearIndex(id);
  if (at >= params.outer * params.parts * params.inner) { return; }
  let piece = pieceOf(at);
  var p = piece.start;
  var carry = Element(0);
  if (BEFORE == 1u) { carry = before[at]; }
  for (var begin = 0u; begin < piece.size; begin += TILE) {
    let last = min(begin + TILE, piece.size);
    var run = Element(0);
    for (var l = begin; l < last;) {
      let end = min(l + SPAN, last);
      var sum = carry + run;
      var span = Element(0);
      if (end - l == SPAN) {
        l = end;
        for (var e = 0u; e < SPAN; e++) { // unroll
          take(p, &sum, &span);
          p += piece.step;
        }
      }
      for (; l < end; l++) {
        take(p, &sum, &span);
        p += piece.step;
      }
      run += span;
    }
    carry += run;
  }
  if (TOTALS == 1u) { y[at] = carry; }
}

@compute @workgroup_size(64)
fn shared_(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = linearGroup(group);
  if (at >= params.outer * params.parts * params.inner) { return; }
  let piece = pieceOf(at);
  let own = lane * (SPAN + 1u);
  var carry = Element(0);
  if (BEFORE == 1u) { carry = before[at]; }
  for (var begin = 0u; begin < piece.size; begin += TILE) {
    for (var k = lane; k < TILE; k += SPANS) {
      var v = Element(0);
      if (begin + k < piece.size) { v = x[piece.start + (begin + k) * piece.step]; }
      tile[k + k / SPAN] = v;
    }
    workgroupBarrier();
    var span = Element(0);
    for (var e = 0u; e < SPAN; e++) { span += tile[own + e]; }
    sums[lane] = span;
    workgroupBarrier();
    var run = Element(0);
    var sum = carry;
    for (var c = 0u; c < SPANS; c++) {
      if (c == lane) { sum = carry + run; }
      run += sums[c];
    }
    carry += run;
    if (TOTALS == 0u) {
      for (var e = 0u; e < SPAN; e++) {
        let next = sum + tile[own + e];
        tile[own + e] = select(next, sum, EXCLUSIVE == 1u);
        sum = next;
      }
      workgroupBarrier();
      // The next tile is written by the lanes that read this one here.
      for (var k = lane; k < TILE; k += SPANS) {
        if (begin + k < piece.size) { y[piece.start + (begin + k) * piece.step] = tile[k + k / SPAN]; }
      }
    }
  }
  if (TOTALS == 1u && lane == 0u) { y[at] = carry; }
}
