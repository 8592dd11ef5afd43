/**
 * All that depends on the adapter: how work is cut for it, and which of two bodies with the same results it takes. A
 * tuning decides how long an op takes. The bits of its result depend on the shapes alone.
 */
export interface Tuning {
  /** For error sentences and profiles: 'software', 'hardware'. */
  readonly name: string;
  /** Why the kernels that come first do, in a sentence. Default: not said. */
  readonly because?: string;
  /** Which body a shader function takes where it has two: `// software` in shaders/lib marks the second. */
  readonly bodies: 'software' | 'hardware';
  /** Largest terms are compared as the bits of integers, else as numbers. */
  readonly maximaAsIntegers: boolean;
  /** Invocations that keep the device busy: of a product. */
  readonly wanted: { readonly product: number };
  /**
   * Scans, sorts, scatters and transposes share the work of an invocation among a workgroup, through its memory, where
   * there would be fewer invocations than this. 0: they never do, since barriers are slow.
   */
  readonly sharesUnder: number;
  /**
   * The blocks that suit an (m, n) product in `layers` pieces, one at least, the best guess first. All give the same
   * bits.
   */
  tilesFor(m: number, n: number, layers: number, traits: ProductTraits): readonly Choice[];
  /** The block of a convolution as an (m, n) product in `layers` pieces. */
  tileFor(m: number, n: number, layers: number, traits: ProductTraits): Choice;
  /**
   * Tiles in workgroup memory for a convolution, or a gradient of one, with m rows (filters or channels) and n columns
   * (positions or taps) in `layers` pieces, best first; none: the block of `tileFor`.
   */
  convolutionTiles(m: number, n: number, layers: number): readonly WorkgroupTile[];
}

/** What else the block of a product depends on. */
export interface ProductTraits {
  /** The left operand is stored (k, m). Default: false. */
  transposeA?: boolean;
  /** The right operand is stored (n, k). Default: false. */
  transposeB?: boolean;
  /** Invocations may exchange what they loaded. Default: true. */
  quads?: boolean;
  /** The inner operation is more than a product and a sum, or its loads are. Default: false. */
  isLong?: boolean;
  /** Left operands that a block needs at a time. Default: 1. */
  planes?: number;
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
  /**
   * Fours of terms that the workgroup keeps in its memory, so that its invocations share what they load
   * (shaders/lib/tile.wgsl). Default: none, every invocation loads for itself.
   */
  depth?: number;
  /** Four neighbours along x form a quad: each loads a quarter of their common rows, and they exchange them. */
  quads?: boolean;
}

/** The tile of a product in workgroup memory (shaders/lib/tile.wgsl). */
export interface WorkgroupTile {
  /** Rows and columns that an invocation computes; multiples of four. */
  m: number;
  n: number;
  /** Invocations of a workgroup, side by side and below each other. */
  lanesX: number;
  lanesY: number;
  /** Terms that are copied at a time. */
  depth: number;
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
