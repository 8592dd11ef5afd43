import { expect, test } from 'vitest';
import { glyphs } from '../support/glyphs.ts';
import { expectFirstLight } from './expect-first-light.ts';

test('the program of the architecture page runs in Node', async () => {
  await expectFirstLight(glyphs(1200, 1));
  expect(typeof window).toBe('undefined');
});
