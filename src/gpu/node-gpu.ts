import * as device from './device.ts';
import { type Gpu, type InitOptions } from './device.ts';
import { NoWebGPUError } from './errors.ts';

/**
 * Where the process keeps the `GPU` object of the package: for good, since Dawn in Node ends, devices and all, when the
 * object is collected, and once for all copies of evenkeel.
 */
const KEPT = Symbol.for('evenkeel.node-gpu');
const host = globalThis as typeof globalThis & { [KEPT]?: GPU };

/** The package is looked up when the program runs: no bundler may take it in, since it carries a binary. */
const load = (name: string): Promise<unknown> => import(/* webpackIgnore: true */ /* @vite-ignore */ name);

/** The `GPU` object of Node's optional `webgpu` package. */
async function nodeGpu(): Promise<GPU> {
  if (host[KEPT]) return host[KEPT];
  try {
    const { create, globals } = (await load('webgpu')) as { create(flags: string[]): GPU; globals: object };
    Object.assign(globalThis, globals);
    // Exact timestamps: they are rounded in browsers so that pages cannot spy on each other.
    return (host[KEPT] = create(['disable-dawn-features=timestamp_quantization']));
  } catch (error) {
    throw new NoWebGPUError(
      `Node has no WebGPU of its own: run \`npm install webgpu\`, or pass { gpu } (${(error as Error).message})`,
    );
  }
}

/** `init` of the entry for Node: where the host has no WebGPU, that of the package `webgpu`. */
export async function init(options: InitOptions = {}): Promise<Gpu> {
  const isGiven = options.device || options.gpu || globalThis.navigator?.gpu;
  return device.init(isGiven ? options : { ...options, gpu: await nodeGpu() });
}
