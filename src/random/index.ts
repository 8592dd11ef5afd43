export { key, PURPOSE, split, type Key } from './key.ts';
export { normals } from './normal.ts';
export { philox } from './philox.ts';
export * from './random.ts';
