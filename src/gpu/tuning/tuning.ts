/**
 * All that depends on the adapter: how work is cut for it, and which of two bodies with the same results it takes. A
 * tuning decides how long an op takes. The bits of its result depend on the shapes alone.
 */
export interface Tuning {
  /** For error sentences and profiles: 'software', 'hardware'. */
  readonly name: string;
  /** Which body a shader function takes where it has two: `// software` in shaders/lib marks the second. */
  readonly bodies: 'software' | 'hardware';
  /** Largest terms are compared as the bits of integers, else as numbers. */
  readonly maximaAsIntegers: boolean;
  /** Invocations that keep the device busy: of a product, a gradient of filters. */
  readonly wanted: { readonly product: number; readonly filters: number };
  /** The block of an (m, n) product in `layers` pieces. */
  tileFor(m: number, n: number, layers: number, traits: ProductTraits): Choice;
}

/** What else the block of a product depends on. */
export interface ProductTraits {
  /** The left operand is stored (k, m). Default: false. */
  transposeA?: boolean;
  /** Invocations may exchange what they loaded. Default: true. */
  quads?: boolean;
  /** The inner operation is more than a product and a sum, or its loads are. Default: false. */
  isLong?: boolean;
  /** Each column costs an index of its own. Default: false. */
  isTall?: boolean;
}

/** The register block of one invocation of a product (shaders/lib/gemm.wgsl), and its workgroup. */
export interface Tile {
  /** Rows and columns an invocation computes; multiples of four. */
  m: number;
  n: number;
  groupX: number;
  groupY: number;
  /** Four neighbours along x form a quad: each loads a quarter of their common rows, and they exchange them. */
  quads?: boolean;
}

/**
 * A block, and where it is slow to compile the arithmetic operations after which it pays: until then the smallest block
 * does the work.
 */
export interface Choice {
  tile: Tile;
  pays: number | null;
}

/**
 * The smallest block: for long inner operations, whose unrolled code would take seconds to compile and which hide loads
 * anyway.
 */
export const SMALL_TILE: Tile = { m: 4, n: 4, groupX: 8, groupY: 8 };
