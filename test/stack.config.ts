import { defineConfig } from 'vitest/config';
import { library, tuned } from './vitest.config.ts';

const isFirefox = process.env.EVENKEEL_STACK === 'firefox';

// The tests of the device in Node or Deno, where there is no page, and those of Firefox: `npm test -- --stack NAME`.
export default defineConfig({
  ...library('index.node.ts'),
  test: {
    ...tuned,
    name: 'stack',
    include: [isFirefox ? 'test/**/*.firefox.test.ts' : 'test/**/*.gpu.test.ts'],
    setupFiles: isFirefox ? [] : ['test/support/gpu.ts'],
  },
});
