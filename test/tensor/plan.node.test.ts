import { describe, expect, test } from 'vitest';
import { planMemory, type Lifetime } from '../../src/gpu/plan.ts';
import { alignUp } from '../../src/gpu/pool.ts';
import { testRandom } from '../support/fuzz.ts';

const life = (bytes: number, first: number, last: number, apart: number[] = []): Lifetime => ({
  bytes,
  first,
  last,
  apart: new Set(apart),
});

/** Most bytes alive at one command, each rounded up to 256. */
function mostLive(lives: readonly Lifetime[]): number {
  const at = lives.flatMap((l) => l.first);
  return Math.max(
    0,
    ...at.map((t) =>
      lives.filter((l) => l.first <= t && t <= l.last).reduce((s, l) => s + alignUp(Math.max(1, l.bytes)), 0),
    ),
  );
}

function expectValid(lives: readonly Lifetime[]): number {
  const { places, arenas, bound } = planMemory(lives);
  expect(bound).toBe(mostLive(lives));
  lives.forEach((a, i) => {
    const p = places[i]!;
    expect(p.offset % 256).toBe(0);
    expect(p.offset + alignUp(a.bytes)).toBeLessThanOrEqual(arenas[p.arena]!);
    for (let j = 0; j < i; j++) {
      const [b, q] = [lives[j]!, places[j]!];
      if (p.arena !== q.arena) continue;
      expect(a.apart.has(j), `${i} and ${j} share an arena`).toBe(false);
      const alive = a.first <= b.last && b.first <= a.last;
      const overlap = p.offset < q.offset + alignUp(b.bytes) && q.offset < p.offset + alignUp(a.bytes);
      expect(alive && overlap, `${i} and ${j} overlap`).toBe(false);
    }
  });
  return arenas.reduce((s, a) => s + a, 0);
}

describe('planMemory', () => {
  test('nothing needs nothing', () => expect(planMemory([])).toEqual({ places: [], arenas: [], bound: 0 }));
  test('one after the other share a place', () =>
    expect(expectValid([life(1000, 0, 1), life(900, 2, 3), life(1024, 4, 5)])).toBe(1024));
  test('at the same time they do not', () => expect(expectValid([life(256, 0, 2), life(256, 2, 3)])).toBe(512));
  test('a kept one keeps its place to the end', () =>
    expect(expectValid([life(256, 0, Infinity), life(256, 5, 6)])).toBe(512));
  test('the two sides of a dispatch lie in different arenas', () => {
    const lives = [life(256, 0, 1, [1]), life(256, 1, 2, [0])];
    const { places } = planMemory(lives);
    expect(places[0]!.arena).not.toBe(places[1]!.arena);
  });
  test('a small one goes into a gap', () => {
    const lives = [life(1024, 0, 3), life(512, 0, 1), life(512, 2, 3), life(256, 2, 3)];
    expect(expectValid(lives)).toBe(1024 + 512 + 256);
  });

  test('300 random instances: no overlap, apart respected', () => {
    const random = testRandom(1);
    for (let run = 0; run < 300; run++) {
      const n = 1 + random(30);
      const lives = Array.from({ length: n }, () => {
        const first = random(40);
        return life(1 + random(5000), first, random(10) === 0 ? Infinity : first + random(8), []);
      });
      const apart = lives.map(() => new Set<number>());
      for (let k = random(n); k > 0; k--) {
        const [i, j] = [random(n), random(n)];
        if (i === j) continue;
        apart[i]!.add(j);
        apart[j]!.add(i);
      }
      expectValid(lives.map((l, i) => ({ ...l, apart: apart[i]! })));
    }
  });

  test('200 random instances without constraints: at most 1.2 times the most that is live', () => {
    const random = testRandom(2);
    let ratios = 0;
    let worst = 0;
    for (let run = 0; run < 200; run++) {
      const lives = Array.from({ length: 5 + random(40) }, () => {
        const first = random(60);
        return life(256 * (1 + random(64)), first, first + random(12));
      });
      const ratio = expectValid(lives) / mostLive(lives);
      ratios += ratio / 200;
      worst = Math.max(worst, ratio);
    }
    expect(ratios).toBeLessThan(1.03);
    expect(worst).toBeLessThan(1.12);
  });

  test(
    'layers forward and back, each dispatch reading two and writing one: at most 1.2 times the most that is ' + 'live',
    () => {
      const layers = 12;
      const size = (i: number): number => 4096 * (1 + (i % 3));
      const lives: { bytes: number; first: number; last: number; apart: Set<number> }[] = [];
      // Activation i is read by layer i + 1 and by its backward pass; gradient i lives between two backward passes.
      for (let i = 0; i < layers; i++) lives.push({ ...life(size(i), i, 2 * layers - i), apart: new Set() });
      for (let i = 0; i < layers; i++)
        lives.push({ ...life(size(i), 2 * layers - i - 1, 2 * layers - i), apart: new Set() });
      const separate = (a: number, b: number): void => {
        if (!lives[a] || !lives[b]) return;
        lives[a]!.apart.add(b);
        lives[b]!.apart.add(a);
      };
      for (let i = 0; i + 1 < layers; i++) separate(i, i + 1);
      for (let i = 0; i < layers; i++) {
        separate(layers + i, i);
        if (i + 1 < layers) separate(layers + i, layers + i + 1);
      }
      expect(expectValid(lives) / mostLive(lives)).toBeLessThan(1.2);
    },
  );
});
