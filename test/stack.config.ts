import { defineConfig } from 'vitest/config';
import { library, tuned } from './vitest.config.ts';

// The tests of the device in Node or Deno, where there is no page: `npm test -- --stack NAME`.
export default defineConfig({
  ...library('index.node.ts'),
  test: {
    ...tuned,
    name: 'stack',
    include: ['test/**/*.gpu.test.ts'],
    setupFiles: ['test/support/gpu.ts'],
  },
});
