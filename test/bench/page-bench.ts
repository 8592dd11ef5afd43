import { benchmark, type BenchOptions } from './bench-job.ts';
import { openJax } from './engines/jax.ts';
import { openTfjs } from './engines/tfjs.ts';
import { answer, pinAdapter, watchDevices } from './page-outcome.ts';

const deviceErrors = watchDevices();
const openPeers = async (kind: 'hardware' | 'software') => {
  pinAdapter(kind);
  return [await openJax(), await openTfjs()];
};
answer(async (options: BenchOptions, line) => ({
  ...(await benchmark(options, { openPeers, line, deviceErrors })),
  browser: navigator.userAgent,
}));
