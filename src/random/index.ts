export * from './categorical.ts';
export type { DrawOptions, HostDrawOptions } from './draw.ts';
export * from './gamma.ts';
export { key, PURPOSE, split, type Key } from './key.ts';
export { normals } from './normal.ts';
export * from './permutation.ts';
export { philox } from './philox.ts';
export * from './random.ts';
