import { SMALL_TILE, type Choice, type ProductTraits, type Tile, type Tuning } from './tuning.ts';

/** A block with the fewest invocations that it is worth, and the arithmetic that pays for its compilation. */
type LargeTile = Tile & { least: number; pays: number };

const QUAD_TILES: readonly LargeTile[] = [{ m: 16, n: 8, groupX: 4, groupY: 2, quads: true, least: 32, pays: 2 ** 28 }];

/** For long inner operations. */
const LONG_QUAD_TILES: readonly LargeTile[] = [
  { m: 16, n: 4, groupX: 4, groupY: 2, quads: true, least: 32, pays: 2 ** 28 },
];

/** For convolutions. */
const TALL_QUAD_TILES: readonly LargeTile[] = [
  { m: 20, n: 4, groupX: 4, groupY: 2, quads: true, least: 32, pays: 2 ** 28 },
];

const LARGE_TILES: readonly LargeTile[] = [
  { m: 8, n: 12, groupX: 2, groupY: 4, least: 24, pays: 2 ** 28 },
  { m: 8, n: 8, groupX: 4, groupY: 4, least: 16, pays: 2 ** 28 },
  { m: 16, n: 4, groupX: 2, groupY: 4, least: 24, pays: 2 ** 28 },
];

/** Most of the sums of all blocks over those that are wanted, both counted in fours. */
const WASTE = 1.35;

/**
 * The tuning for adapters that are processors. Only SwiftShader takes large blocks: other compilers need many seconds
 * for one. `quads`: four invocations in a row along x can exchange values.
 *
 * Loads cost most, so SwiftShader takes a large block that still leaves every core some work and computes little beyond
 * the edges, in quads where it has them; its rows are shared out evenly. But the code of a block is unrolled. What a
 * processor keeps decoded, some 4,000 micro-operations, limits its size: past that it runs at half speed. And it takes
 * a tenth of a second to compile, against a thirtieth for what is not unrolled and half as fast; so it waits until it
 * pays. All give the same bits: an output is one sum in the order of its terms.
 */
export function softwareTuning({ isSwiftShader, quads: hasQuads }: { isSwiftShader: boolean; quads: boolean }): Tuning {
  const tileFor: Tuning['tileFor'] = (m, n, layers, traits) =>
    isSwiftShader ? largeTile(m, n, layers, traits, hasQuads) : { tile: SMALL_TILE, pays: null };
  return {
    name: 'software',
    because: isSwiftShader
      ? 'SwiftShader on a processor: few invocations with large blocks'
      : 'a processor whose compiler takes long for large blocks: the smallest ones',
    bodies: 'software',
    maximaAsIntegers: true,
    wanted: { product: 24 },
    sharesUnder: 0,
    tilesFor: (...product) => [tileFor(...product)],
    tileFor,
    convolutionTiles: () => [],
  };
}

function largeTile(
  m: number,
  n: number,
  layers: number,
  { transposeA = false, quads = true, isLong = false, isTall = false }: ProductTraits,
  hasQuads: boolean,
): Choice {
  const blocks = (size: number, each: number): number => Math.ceil(size / each);
  const wanted = 16 * blocks(m, 4) * blocks(n, 4);
  const inQuads = isTall ? TALL_QUAD_TILES : isLong ? LONG_QUAD_TILES : QUAD_TILES;
  for (const t of quads && hasQuads ? [...inQuads, ...LARGE_TILES] : LARGE_TILES) {
    const down = blocks(m, t.m);
    // Rows stored as columns are loaded by fours, in quads those of each of the four.
    const step = transposeA && t.quads ? 16 : 4;
    const rows = step * blocks(m, step * down);
    const across = t.quads ? 4 * blocks(n, 4 * t.n) : blocks(n, t.n);
    const isWorth = across * down * layers >= t.least && across * t.n * down * rows <= WASTE * wanted;
    if (isWorth) return { tile: { ...t, m: rows }, pays: (t.pays * rows) / t.m };
  }
  return { tile: SMALL_TILE, pays: null };
}
