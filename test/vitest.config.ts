import { defineConfig } from 'vitest/config';
import { playwright } from '@vitest/browser-playwright';
import { findChrome } from '../src/cli/chrome.mjs';
import { wgslVite } from '../src/build/wgsl-plugin.ts';

const chrome = process.env.EVENKEEL_CHROME ?? findChrome();
const alias = [
  { find: /^evenkeel$/, replacement: new URL('../src/index.ts', import.meta.url).pathname },
  { find: /^evenkeel\/(.+)$/, replacement: new URL('../src/', import.meta.url).pathname + '$1/index.ts' },
];

// Three projects: pure layers in Node; GPU layers in headless Chrome; the Node host on Dawn.
export default defineConfig({
  test: {
    projects: [
      {
        plugins: [wgslVite()],
        resolve: { alias },
        test: {
          name: 'pure',
          include: ['test/**/*.node.test.ts'],
          testTimeout: 120_000,
        },
      },
      {
        plugins: [wgslVite()],
        resolve: { alias },
        optimizeDeps: { noDiscovery: true },
        test: {
          name: 'chrome',
          include: ['test/**/*.gpu.test.ts'],
          setupFiles: ['test/support/gpu.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: { ...(chrome ? { executablePath: chrome } : {}), args: ['--no-sandbox', '--enable-unsafe-webgpu', '--disable-background-networking', '--no-first-run'] },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});
