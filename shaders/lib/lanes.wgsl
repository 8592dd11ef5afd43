// A row of n elements folded by lanes, in an order that n alone gives. The row is cut into PARTS parts of blocks of
// eight elements, a block into two quads, each component of a quad has a sum of its own; what is left of the last block
// goes before all else of part 0. Then
//   the two sums of a part are joined, and the parts one after the other;
//   what becomes of the four components is the shader's own.
// On a GPU an invocation, a lane, takes the first or the second quads of a part, and GROUP lanes, a workgroup, hold
// GROUP / LANES rows. On a processor one invocation takes all of a row, part by part, and waits for nobody (TAKES = 2).
// Both give the same bits. A row of one part is a single invocation's everywhere.
// The shader declares what is folded, and a rule; `none` is an Acc that changes nothing:
//   struct Acc { .. }
//   fn join(a: Acc, b: Acc) -> Acc
// and goes through a row like this. No `return` comes before the last `across`: n is 0 past the last row.
//   let p = placeOf(id, t);
//   var all = none;
//   var a = none with the elements from restOf(p, n), up to four of them, that lie before restEnd(p, n)
//   var b = if TAKES is 2 the same from 4 on
//   var part = firstPart(p);
//   loop {
//     let s = spanOf(p, part, n);
//     var l = s.x;
//     if (l < s.y) {
//       loop {
//         the elements l .. l + 3 go into a, and if TAKES is 2, l + 4 .. l + 7 into b
//         l += 8u;
//         if (l >= s.y) { break; }
//       }
//     }
//     all = addPart(all, a, b);
//     a = none;  b = none;
//     part += 1u;
//     if (part >= endPart(p)) { break; }
//   }
//   all = across(p, all, none);                             every lane has it
// The loops ask at their end: SwiftShader goes once more through one that asks at its start, all lanes masked.
// Where the order does not matter, as for a maximum: for (var l = p.lane; l < n; l += hop()) { .. }, and `across`; from
// afterFirst(p) on if every lane starts from element 0.
// use lib/index.wgsl

const PARTS = 8u; // variant
const LANES = PARTS * 2u;
const GROUP = 64u; // variant
const TAKES = 1u; // variant
// 1: rows lie side by side as columns do, so that neighbours take the same lane of neighbouring rows.
override COLUMNS: u32 = 0u;

// slot: where lane 0 of the row keeps its sum; step: from one lane to the next.
struct Place { row: u32, lane: u32, slot: u32, step: u32 }

var<workgroup> laneSums: array<Acc, GROUP>;

fn placeOf(id: vec3u, t: u32) -> Place { return placeAmong(id, t); } // software return Place(linearIndex(id), 0, 0, 1);
fn firstPart(p: Place) -> u32 { return p.lane >> 1u; } // software return 0u;
fn endPart(p: Place) -> u32 { return (p.lane >> 1u) + 1u; } // software return PARTS;
fn hop() -> u32 { return select(LANES, 1u, TAKES == 2u); } // software return 1u;
fn afterFirst(p: Place) -> u32 { return select(p.lane, hop(), p.lane == 0u); } // software return 1u;
fn addPart(all: Acc, a: Acc, b: Acc) -> Acc { return partOf(all, a, b); } // software return join(all, join(a, b));
fn across(p: Place, own: Acc, none: Acc) -> Acc { return acrossLanes(p, own, none); } // software return own;

fn placeAmong(id: vec3u, t: u32) -> Place {
  if (TAKES == 2u) { return Place(linearIndex(id), 0u, 0u, 1u); }
  let rows = GROUP / LANES;
  let first = (id.x / GROUP + id.y * 32768u) * rows;
  if (COLUMNS == 1u) { return Place(first + t % rows, t / rows, t % rows, rows); }
  return Place(first + t / LANES, t % LANES, t - t % LANES, 1u);
}

fn partOf(all: Acc, a: Acc, b: Acc) -> Acc {
  if (TAKES == 2u) { return join(all, join(a, b)); }
  return a;
}

fn acrossLanes(p: Place, own: Acc, none: Acc) -> Acc {
  if (TAKES == 2u) { return own; }
  return joinLanes(p, own, none);
}

// Where the first quad of this lane in a part lies, and the end of the blocks.
fn spanOf(p: Place, part: u32, n: u32) -> vec2u {
  let size = (n + 8u * PARTS - 1u) / (8u * PARTS) * 8u;
  return min(vec2u(part * size, part * size + size), vec2u(n & ~7u)) + 4u * (p.lane & 1u);
}

fn restOf(p: Place, n: u32) -> u32 { return (n & ~7u) + 4u * (p.lane & 1u); }
fn restEnd(p: Place, n: u32) -> u32 { return select(0u, n, p.lane < 2u); }

fn joinLanes(p: Place, own: Acc, none: Acc) -> Acc {
  laneSums[p.slot + p.lane * p.step] = own;
  workgroupBarrier();
  var all = none;
  for (var lane = 0u; lane < LANES; lane += 2u) {
    let at = p.slot + lane * p.step;
    all = join(all, join(laneSums[at], laneSums[at + p.step]));
  }
  workgroupBarrier();
  return all;
}
