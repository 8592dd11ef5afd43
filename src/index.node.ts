// What Node gets as `evenkeel` (condition `node` of package.json): all of index.ts, with an `init` that knows the
// package `webgpu`.
export * from './index.ts';
export { init } from './gpu/node-gpu.ts';
