import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { playwright } from '@vitest/browser-playwright';
import { findChrome } from '../src/cli/chrome.mjs';
import { wgslVite } from '../src/build/wgsl-plugin.ts';

const source = (path: string): string => new URL(`../src/${path}`, import.meta.url).pathname;
/** The package from its sources; `index` is the entry that the host gets as `evenkeel`. */
export const library = (index: string) => ({
  plugins: [wgslVite({ runtime: source('gpu/kernel.ts'), declarations: false })],
  resolve: {
    alias: [
      { find: /^evenkeel$/, replacement: source(index) },
      { find: /^evenkeel\/build$/, replacement: source('build/wgsl-plugin.ts') },
      { find: /^evenkeel\/(.+)$/, replacement: source('$1/index.ts') },
    ],
  },
});
/** Of all tests of the device. */
export const tuned = {
  // The tuning that is forced on whatever adapter is there; without it, the adapter's own.
  env: { EVENKEEL_TUNING: process.env.EVENKEEL_TUNING ?? '' },
  testTimeout: 120_000,
  hookTimeout: 120_000,
  // One device at a time: files would only compete for the same adapter.
  fileParallelism: false,
};
const executablePath = findChrome() ?? undefined;

/** Tests of the device in a headless Chrome of their own. */
const chrome = (name: string, include: string[], exclude: string[] = []) => ({
  ...library('index.ts'),
  optimizeDeps: { noDiscovery: true },
  test: {
    name,
    ...tuned,
    include,
    exclude,
    setupFiles: ['test/support/gpu.ts'],
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({
        launchOptions: {
          executablePath,
          args: ['--no-sandbox', '--enable-unsafe-webgpu', '--disable-background-networking', '--no-first-run'],
        },
      }),
      instances: [{ browser: 'chromium' as const }],
    },
  },
});

// First what needs Node alone, on all cores: pure layers, and hosts (Dawn in Node, a bare page, the package). Then the
// device in two Chromes at a time, since the GPU process of one compiles nearly all of its kernels in one thread; the
// two sets of files take about as long as each other.
const OPS = ['test/ops/**/*.gpu.test.ts', 'test/tensor/**/*.gpu.test.ts'];
export default defineConfig({
  test: {
    maxWorkers: availableParallelism(),
    projects: [
      {
        ...library('index.node.ts'),
        test: { name: 'pure', include: ['test/**/*.node.test.ts'], testTimeout: 120_000 },
      },
      {
        ...library('index.node.ts'),
        test: { name: 'hosts', include: ['test/**/*.host.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 },
      },
      chrome('ops', OPS),
      chrome('chrome', ['test/**/*.gpu.test.ts'], OPS),
    ],
  },
});
