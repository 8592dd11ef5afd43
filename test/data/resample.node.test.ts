import { expect, test } from 'vitest';
import { resample } from '../../src/data/resample.ts';
import golden from '../golden/pictures.json';

const bytes = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

test.each(golden.resize.to)('$height x $width as Pillow resize with BILINEAR', ({ width, height, rgb }) => {
  const { resize } = golden;
  expect(resample({ width: resize.width, height: resize.height, data: bytes(resize.rgb) }, width, height)).toEqual({
    width,
    height,
    data: bytes(rgb),
  });
});
