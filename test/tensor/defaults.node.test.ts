import { describe, expect, test } from 'vitest';
import { defaultsOf, FAMILIES, UNKNOWN } from '../../src/gpu/tuning/defaults.ts';
import { hardwareTuning } from '../../src/gpu/tuning/hardware.ts';
import { tuningFor } from '../../src/gpu/tuning/index.ts';

const adapter = (vendor: string, architecture = '') => ({
  ...{ vendor, architecture, device: '', name: vendor, kind: 'hardware' as const },
});
const SHAPES = [
  [4096, 4096],
  [512, 512],
  [64, 2000],
  [3, 500],
  [700, 9],
] as const;
const names = (tiles: readonly object[]): string[] => tiles.map((t) => JSON.stringify(t)).sort();

describe('defaults of a family of GPUs', () => {
  test.each([
    ['amd', 'rdna-3', 64],
    ['AMD', 'gcn-5', 32],
    ['nvidia', 'ampere', 64],
    ['intel', 'xe-2lpg', 32],
    ['apple', 'metal-3', 32],
    ['arm', 'valhall', 16],
    ['qualcomm', 'adreno-7xx', 16],
  ])('%s %s keeps up to %i sums', (vendor, architecture, sums) => {
    expect(defaultsOf(adapter(vendor, architecture)).sums).toBe(sums);
  });

  test('an adapter that nobody knows, or that says nothing, has the order for large GPUs', () => {
    expect(defaultsOf(adapter('', ''))).toBe(UNKNOWN);
    expect(defaultsOf(adapter('img-tec'))).toBe(UNKNOWN);
    expect(tuningFor(adapter(''), new Set()).because).toBe(UNKNOWN.because);
  });

  test('every row is reached and says why', () => {
    for (const family of FAMILIES) {
      const architecture = family.architecture ? 'rdna-1' : 'any';
      expect(defaultsOf(adapter(family.vendor!, architecture))).toBe(family);
      expect(family.because.length).toBeGreaterThan(20);
    }
  });

  test.each(FAMILIES)('$vendor, $sums sums: small enough tiles come first, and none is left out', (family) => {
    const tuning = hardwareTuning(family);
    // The number of groups changes which sizes are tried, so the same number is given to both.
    const all = hardwareTuning({ ...UNKNOWN, groups: family.groups });
    for (const [m, n] of SHAPES) {
      const products = tuning.tilesFor(m, n, 1, {}).map(({ tile }) => tile);
      const convolutions = tuning.convolutionTiles(m, n, 1);
      expect(names(products)).toEqual(names(all.tilesFor(m, n, 1, {}).map(({ tile }) => tile)));
      expect(names(convolutions)).toEqual(names(all.convolutionTiles(m, n, 1)));
      for (const tiles of [products, convolutions]) {
        const isSmall = tiles.map((t) => t.m * t.n <= family.sums);
        expect(isSmall).toEqual([...isSmall].sort((a, b) => Number(b) - Number(a)));
      }
    }
    expect(tuning.tilesFor(4096, 4096, 1, {})[0]!.tile.m).toBe(family.sums >= 32 ? 8 : 4);
  });
});
