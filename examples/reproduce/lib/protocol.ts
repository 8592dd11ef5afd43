/** Options of an experiment on images: its quick protocol, or with `full` the larger one. */
export interface ProtocolOptions {
  seeds: number;
  full: boolean;
  /** Training images and epochs; null: those of the protocol. */
  images: number | null;
  epochs: number | null;
}

/** How much a protocol trains on, and how often. */
export interface Extent {
  images: number;
  epochs: number;
}

/** What a protocol trains with, and what the flags change of it. */
export function recipeOf<Q extends Extent, F extends Extent>(
  recipes: { readonly quick: Q; readonly full: F },
  { full, images, epochs }: Omit<ProtocolOptions, 'seeds'>,
): Omit<Q | F, keyof Extent> & Extent {
  const recipe = recipes[full ? 'full' : 'quick'];
  return { ...recipe, images: images ?? recipe.images, epochs: epochs ?? recipe.epochs };
}
