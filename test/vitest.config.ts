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

// Three projects: pure layers in Node; everything on the device in headless Chrome; hosts: Dawn in Node, and a bare
// page.
export default defineConfig({
  test: {
    projects: [
      {
        ...library('index.node.ts'),
        test: { name: 'pure', include: ['test/**/*.node.test.ts'], testTimeout: 120_000 },
      },
      {
        ...library('index.node.ts'),
        test: { name: 'hosts', include: ['test/**/*.host.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 },
      },
      {
        ...library('index.ts'),
        optimizeDeps: { noDiscovery: true },
        test: {
          name: 'chrome',
          ...tuned,
          include: ['test/**/*.gpu.test.ts'],
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
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});
