import { noGrad, scope, tensor } from 'evenkeel';
import { alphaLoss, singleLogit } from 'evenkeel/losses';

/** The exponents as text, since JSON has no infinity. */
export const alphaName = (alpha: number): string => (alpha === Infinity ? 'inf' : String(alpha));

/** Sum of masses times the alpha-loss of margins, by the loss of the library on the device, in f32. */
export async function deviceRisk(
  margins: ArrayLike<number>,
  masses: ArrayLike<number>,
  alpha: number,
): Promise<number> {
  const loss = singleLogit(alphaLoss({ alpha }));
  const risk = scope(() =>
    noGrad(() =>
      loss(tensor(margins), new Int32Array(margins.length).fill(1), { sampleWeight: tensor(masses), reduction: 'sum' }),
    ),
  );
  const [value] = await risk.read();
  risk.dispose();
  loss.dispose();
  return value!;
}

type Point = [number, number];

/** The lowest of the minima that Nelder and Mead's simplex (1965) finds from each start. */
export function minimise(f: (x: Point) => number, starts: readonly Point[]): { at: Point; value: number } {
  return starts.map((start) => simplex(f, start)).reduce((best, next) => (next.value < best.value ? next : best));
}

function simplex(f: (x: Point) => number, start: Point): { at: Point; value: number } {
  const size = 0.1 * (1 + Math.hypot(...start));
  let corners = ([start, [start[0] + size, start[1]], [start[0], start[1] + size]] as Point[]).map((at) => ({
    at,
    value: f(at),
  }));
  for (let i = 0; i < 2000; i++) {
    corners.sort((a, b) => a.value - b.value);
    const [best, middle, worst] = corners as [(typeof corners)[0], (typeof corners)[0], (typeof corners)[0]];
    if (Math.hypot(worst.at[0] - best.at[0], worst.at[1] - best.at[1]) < 1e-10 * (1 + Math.hypot(...best.at))) break;
    const towards = (t: number): { at: Point; value: number } => {
      const at = [0, 1].map((k) => {
        const c = (best.at[k]! + middle.at[k]!) / 2;
        return c + t * (c - worst.at[k]!);
      }) as Point;
      return { at, value: f(at) };
    };
    const reflected = towards(1);
    let next = reflected;
    if (reflected.value < best.value) {
      const further = towards(2);
      if (further.value < reflected.value) next = further;
    } else if (reflected.value >= middle.value) next = towards(reflected.value < worst.value ? 0.5 : -0.5);
    if (next.value < worst.value) corners[2] = next;
    else
      corners = corners.map((corner) => {
        const at = [0, 1].map((k) => (corner.at[k]! + best.at[k]!) / 2) as Point;
        return { at, value: f(at) };
      });
  }
  return corners.reduce((a, b) => (b.value < a.value ? b : a));
}
