import type { BuildOptions } from 'esbuild';

/** How what a page loads is bundled to be measured: one minified module, in memory. */
export const PAGE_BUNDLE = {
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  minify: true,
  write: false,
  legalComments: 'none',
  logLevel: 'error',
} as const satisfies BuildOptions;
