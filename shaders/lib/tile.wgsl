// A product by workgroups: TILE_M x TILE_N outputs each, whose operands lie in workgroup memory TILE_K terms at a time.
// An invocation sums a block of lib/gemm.wgsl, an output one chain over its terms, so the bits are those of a product
// from registers alone. The shader that uses this has
//   A_T, B_T                     0 or 1: a vector of A runs along the terms or the rows, of B along the columns or the
//                                terms
//   PlaceA, seekA(row, k, layer) once for each vector of a step: what finds A[row, k ..], or A[row .., k], later
//   fetchA(place, k0, end)       the vector k0 terms on; terms from `end` on are -0, which changes no sum
//   PlaceB, seekB(k, col, layer), fetchB(place, k0, end)   the same of B, where they are 0
// Rows and columns past the edge may hold anything: they are not stored. `t` is the local_invocation_index, `tile` the
// first row, the first column and the layer. A kernel is, with barriers in uniform control flow,
//   seekTile(t, tile, &places);
//   fetchTile(&places, start, end, &next);
//   for (var k0 = start; k0 < end; k0 += TILE_K) {
//     stageTile(t, &next);
//     workgroupBarrier();
//     if (k0 + TILE_K < end) { fetchTile(&places, k0 + TILE_K, end, &next); }
//     for (var q = 0u; q < TILE_QUADS; q++) {
//       blocksOfTile(t, q, &blockA, &blockB);
//       multiplyAdd(&blockA, &blockB, &acc);
//     }
//     workgroupBarrier();
//   }
// so that the next terms are on their way while these are summed. (GPUs' drivers unroll it; others would need seconds.)
// Sum i * BLOCK_N4 + j is of row 4 * (t / LANES_X + i / 4 * LANES_Y) + i % 4 and of four columns from
// 4 * (t % LANES_X + j * LANES_X) on. Remainders of what is small enough state a range: then Tint clamps no index.
// (Functions with a value are one expression: the lockstep run of test/shaders-races.node.test.ts needs that.)

const LANES_X = 8u; // variant
const LANES_Y = 8u; // variant
// Invocations of a workgroup; those from LANES_X x LANES_Y on only load.
const LANES = 64u; // variant
// Fours of terms of a step, and vectors of it that an invocation loads.
const TILE_QUADS = 2u; // variant
const LOADS_A = 2u; // variant
const LOADS_B = 2u; // variant
// Left operands one below the other, TILE_M rows of each: seekA's layer is layer * PLANES + operand.
const PLANES = 1u; // variant
const TILE_M = LANES_Y * BLOCK_M;
const TILE_N = LANES_X * BLOCK_N;
const TILE_K = TILE_QUADS * 4u;
const ROWS4 = BLOCK_M4 * PLANES;
const ROWS = ROWS4 * 4u;
const TILE_ROWS = LANES_Y * ROWS;
const SIZE_A = TILE_ROWS * TILE_QUADS;
const SIZE_B = TILE_N * TILE_QUADS;

// Vectors along the terms lie row by row, with a gap of one after four rows: so neighbours read from different banks.
// Others lie term by term.
var<workgroup> tileA: array<vec4f, SIZE_A + TILE_ROWS / 4u>;
var<workgroup> tileB: array<vec4f, SIZE_B + TILE_N / 4u>;

struct Places { ofA: array<PlaceA, LOADS_A>, ofB: array<PlaceB, LOADS_B> }
struct Vectors { ofA: array<vec4f, LOADS_A>, ofB: array<vec4f, LOADS_B> }

// Row or column of a tile of `size`, and term, of vector v.
fn inTile(v: u32, size: u32, alongTerms: bool) -> vec2u {
  return select(vec2u(v % (size / 4u) * 4u, v / (size / 4u)), vec2u(v / TILE_QUADS, v % TILE_QUADS * 4u), alongTerms);
}

fn seekTile(t: u32, tile: vec3u, places: ptr<function, Places>) {
  for (var i = 0u; i < LOADS_A; i++) { // unroll
    let at = inTile(min(t + i * LANES, SIZE_A - 1u), TILE_ROWS, A_T == 0u);
    places.ofA[i] = seekA(tile.x + at.x % TILE_M, at.y, tile.z * PLANES + at.x / TILE_M);
  }
  for (var i = 0u; i < LOADS_B; i++) { // unroll
    let at = inTile(min(t + i * LANES, SIZE_B - 1u), TILE_N, B_T == 1u);
    places.ofB[i] = seekB(at.y, tile.y + at.x, tile.z);
  }
}

fn fetchTile(places: ptr<function, Places>, k0: u32, end: u32, next: ptr<function, Vectors>) {
  for (var i = 0u; i < LOADS_A; i++) { // unroll
    next.ofA[i] = fetchA(places.ofA[i], k0, end);
  }
  for (var i = 0u; i < LOADS_B; i++) { // unroll
    next.ofB[i] = fetchB(places.ofB[i], k0, end);
  }
}

fn stageTile(t: u32, next: ptr<function, Vectors>) {
  for (var i = 0u; i < LOADS_A; i++) { // unroll
    let v = t % LANES + i * LANES;
    if ((i + 1u) * LANES <= SIZE_A || v < SIZE_A) { tileA[v + select(0u, v / TILE_K, A_T == 0u)] = next.ofA[i]; }
  }
  for (var i = 0u; i < LOADS_B; i++) { // unroll
    let v = t % LANES + i * LANES;
    if ((i + 1u) * LANES <= SIZE_B || v < SIZE_B) { tileB[v + select(0u, v / TILE_K, B_T == 1u)] = next.ofB[i]; }
  }
}

// Four terms of the rows of an invocation, each row a vector along the terms, and of its columns as lib/gemm.wgsl takes
// them.
fn blocksOfTile(
  t: u32,
  q: u32,
  rows: ptr<function, array<vec4f, ROWS>>,
  columns: ptr<function, array<vec4f, BLOCK_N>>,
) {
  let tx = t % LANES_X;
  let ty = t / LANES_X % LANES_Y;
  let quad = q % TILE_QUADS;
  if (A_T == 0u) {
    for (var i = 0u; i < ROWS; i++) { // unroll
      rows[i] = tileA[(ty + i / 4u * LANES_Y) * (TILE_K + 1u) + i % 4u * TILE_QUADS + quad];
    }
  } else {
    for (var i = 0u; i < ROWS4; i++) { // unroll
      let at = quad * TILE_ROWS + ty + i * LANES_Y;
      let four = transpose4(tileA[at], tileA[at + TILE_ROWS / 4u], tileA[at + TILE_ROWS / 2u],
        tileA[at + TILE_ROWS / 4u * 3u]);
      rows[i * 4u] = four[0];
      rows[i * 4u + 1u] = four[1];
      rows[i * 4u + 2u] = four[2];
      rows[i * 4u + 3u] = four[3];
    }
  }
  for (var j = 0u; j < BLOCK_N4; j++) { // unroll
    if (B_T == 0u) {
      let at = quad * TILE_N + tx + j * LANES_X;
      columns[j] = tileB[at];
      columns[BLOCK_N4 + j] = tileB[at + TILE_N / 4u];
      columns[BLOCK_N4 * 2u + j] = tileB[at + TILE_N / 2u];
      columns[BLOCK_N4 * 3u + j] = tileB[at + TILE_N / 4u * 3u];
    } else {
      let at = (tx + j * LANES_X) * (TILE_K + 1u) + quad;
      let four = transpose4(tileB[at], tileB[at + TILE_QUADS], tileB[at + TILE_QUADS * 2u],
        tileB[at + TILE_QUADS * 3u]);
      columns[j] = four[0];
      columns[BLOCK_N4 + j] = four[1];
      columns[BLOCK_N4 * 2u + j] = four[2];
      columns[BLOCK_N4 * 3u + j] = four[3];
    }
  }
}

// sums += four terms of row r of the tile.
fn addTerms(r: u32, q: u32, sums: ptr<function, vec4f>) {
  if (A_T == 0u) { *sums += tileA[r * TILE_QUADS + r / 4u + q]; }
  else {
    let at = q * TILE_ROWS + r / 4u;
    let c = r % 4u;
    *sums += vec4f(tileA[at][c], tileA[at + TILE_ROWS / 4u][c], tileA[at + TILE_ROWS / 2u][c],
      tileA[at + TILE_ROWS / 4u * 3u][c]);
  }
}
