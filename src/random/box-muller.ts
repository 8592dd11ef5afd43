const f = Math.fround;
const words = new Uint32Array(1);
const floats = new Float32Array(words.buffer);

function bitsOf(x: number): number {
  floats[0] = x;
  return words[0]!;
}

function floatOf(bits: number): number {
  words[0] = bits;
  return floats[0]!;
}

/** A uniform in (0, 1) from a word; see `unitOpen` in shaders/lib/normal.wgsl. */
export const unitOpen = (word: number): number => ((word >>> 9) + 0.5) * 2 ** -23;

/** sqrt(-2 log u) for u in (0, 1] from the top 24 bits of a word: the radius of Box and Muller. */
export const radiusOf = (word: number): number => f(Math.sqrt(f(-2 * logOf(f(f((word >>> 8) + 1) * f(5.9604645e-8))))));

// a * b + c with both steps rounded to f32, as a device does that does not fuse them.
const step = (a: number, b: number, c: number): number => f(f(a * b) + f(c));

/** log of an f32 x > 0, x normal; see `logOf` in shaders/lib/normal.wgsl. */
export function logOf(x: number): number {
  const bits = (bitsOf(x) + 0x4afb0d) >>> 0;
  const e = (bits >>> 23) - 127;
  const t = f(floatOf((bits & 0x7fffff) + 0x3f3504f3) - 1);
  const z = f(t * t);
  let p = step(f(0.070376836292), t, -0.1151461031);
  for (const c of [
    0.1167699874, -0.12420140846, 0.14249322787, -0.16668057665, 0.20000714765, -0.24999993993, 0.33333331174,
  ])
    p = step(p, t, c);
  const y = f(f(f(f(p * t) * z) + f(e * f(-0.00021219444))) - f(0.5 * z));
  return f(f(t + y) + f(e * 0.693359375));
}

/** e^x for x <= 0; see `expNegative` in shaders/lib/normal.wgsl. */
export function expNegative(x: number): number {
  if (x < -87) return 0;
  const n = Math.floor(f(f(x * f(1.44269504)) + 0.5));
  const r = f(f(x - f(n * 0.693359375)) - f(n * f(-0.00021219444)));
  let p = f(0.000198756915);
  for (const c of [0.0013981999507, 0.0083334519073, 0.041665795894, 0.16666665459, 0.50000001201])
    p = f(f(p * r) + f(c));
  return f(f(f(f(f(p * r) * r) + r) + 1) * 2 ** n);
}

/** (cos, sin) of 2 pi bits / 2^32; see `circle` in shaders/lib/normal.wgsl. */
export function circle(bits: number): [number, number] {
  const quadrant = ((bits + 0x20000000) >>> 0) >>> 30;
  const x = f(f((bits - (quadrant << 30)) >> 6) * f(9.362676e-8));
  const z = f(x * x);
  const s = f(f(f(step(step(f(-0.00019515295891), z, 0.0083321608736), z, -0.16666654611) * z) * x) + x);
  const c = f(
    f(
      f(f(step(step(f(0.00002443315711809948), z, -0.001388731625493765), z, 0.04166664568298827) * z) * z) -
        f(0.5 * z),
    ) + 1,
  );
  return quadrant === 0 ? [c, s] : quadrant === 1 ? [-s, c] : quadrant === 2 ? [-c, -s] : [s, -c];
}

/**
 * Four standard normals from 128 random bits by Box-Muller, as f32 values: the host version of shaders/lib/normal.wgsl,
 * equal bit for bit on adapters that round each operation (SwiftShader does), within a few units in the last place on
 * others.
 */
export function normals(r: readonly [number, number, number, number]): [number, number, number, number] {
  const [p, q] = [radiusOf(r[0]), radiusOf(r[2])];
  const [c0, s0] = circle(r[1]);
  const [c1, s1] = circle(r[3]);
  return [f(p * c0), f(p * s0), f(q * c1), f(q * s1)];
}
