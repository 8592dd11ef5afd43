import { expect, test } from 'vitest';
import { loadImageFolder } from 'evenkeel/data';

test('the browser decodes and scales pictures', async () => {
  const png = async (width: number, colour: string): Promise<Blob> => {
    const canvas = new OffscreenCanvas(width, width);
    const context = canvas.getContext('2d')!;
    context.fillStyle = colour;
    context.fillRect(0, 0, width, width);
    return canvas.convertToBlob({ type: 'image/png' });
  };
  const data = await loadImageFolder([['red/a.png', await png(8, '#ff0000')], ['grey/b.png', await png(2, '#333333')]], { size: [4, 3] });
  expect(data).toMatchObject({ classNames: ['grey', 'red'], y: Int32Array.of(0, 1) });
  expect(data.x.shape).toEqual([2, 3, 4, 3]);
  expect([...data.x.data]).toEqual([...new Array<number>(36).fill(Math.fround(0.2)), ...new Array<number>(12).fill(1), ...new Array<number>(24).fill(0)]);
  await expect(loadImageFolder([['a/x.png', new Uint8Array([1, 2, 3])]], { size: [2, 2] })).rejects.toThrow('loadImageFolder: a/x.png does not decode');
});
