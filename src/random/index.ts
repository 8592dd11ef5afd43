export * from './categorical.ts';
export type { DrawOptions, HostDrawOptions } from './draw.ts';
export * from './gamma.ts';
export { key, PURPOSE, splitKey, type Key } from './key.ts';
export { normals } from './box-muller.ts';
export * from './permutation.ts';
export { philox } from './philox.ts';
export * from './random.ts';
