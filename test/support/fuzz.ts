/** Small seeded generator (mulberry32 form) for tests: uniform integers in 0..bound-1. */
export function testRandom(seed: number): (bound: number) => number {
  let state = seed | 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}

/**
 * A copy of `file` with one to three random edits: a byte changed, a bit flipped, bytes cut out, inserted or cut off.
 */
export function mutate(file: Uint8Array, random: (bound: number) => number): Uint8Array {
  let bytes = Array.from(file);
  for (let edits = 1 + random(3); edits > 0; edits--) {
    const at = random(Math.max(1, bytes.length));
    const kind = random(5);
    if (kind === 0) bytes[at] = random(256);
    else if (kind === 1) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    else if (kind === 2) bytes.splice(at, 1 + random(8));
    else if (kind === 3) bytes.splice(at, 0, ...Array.from({ length: 1 + random(8) }, () => random(256)));
    else bytes = bytes.slice(0, at);
  }
  return Uint8Array.from(bytes);
}
