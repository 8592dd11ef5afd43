import { between, check, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { add, expand, minimum, mul, sub } from '../ops/binary.ts';
import { greaterEqual, less, lessEqual, logicalAnd, logicalNot, logicalOr } from '../ops/compare.ts';
import { gather } from '../ops/gather.ts';
import { oneHot } from '../ops/one-hot.ts';
import { all, max } from '../ops/reduce.ts';
import { reshape } from '../ops/reshape.ts';
import { slice } from '../ops/slice.ts';
import { floor } from '../ops/unary.ts';
import { where } from '../ops/where.ts';
import { key, splitKey } from '../random/key.ts';
import { uniform } from '../random/random.ts';
import { Captured, capture } from '../tensor/capture.ts';
import { copyOver } from '../tensor/copy.ts';
import type { ArrayInput, LabelsInput } from '../tensor/array-input.ts';
import { noGrad } from '../tensor/tape.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { channelwise, clipped, type Ball } from './ball.ts';
import { perSample, expectWay, judged, LOWEST, kept, type AttackedModel } from './model.ts';
import { underAttack, type Attacked } from './under-attack.ts';

/** Options of {@link squareAttack}. */
export interface SquareOptions extends Omit<Ball, 'norm'> {
  /** Forward passes of each sample at most. Default: 5000. */
  queries?: number;
  /** Share of the pixels in the first squares. Default: 0.8. */
  pInit?: number;
  /**
   * Stretch the schedule of the squares, which is for 10,000 queries, to `queries`; AutoAttack does not. Default:
   * true.
   */
  rescale?: boolean;
  /** Default: 0. */
  seed?: number;
  signal?: AbortSignal;
}

const SQUARE = 103;
/** The share is halved after each of these queries, of 10,000. */
const HALVINGS = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];
/** Queries between two looks at whether any sample is left. */
const CHUNK = 100;

/** Share of the pixels in a square at the given query, from 1 on. */
export function squareShare(query: number, options: Pick<SquareOptions, 'queries' | 'pInit' | 'rescale'> = {}): number {
  expectOptions('squareShare', options as SquareOptions, [
    'eps',
    'clip',
    'queries',
    'pInit',
    'rescale',
    'seed',
    'signal',
  ]);
  const { queries = 5000, pInit = 0.8, rescale = true } = options;
  const at = rescale ? Math.floor((query / queries) * 10000) : query;
  return pInit / 2 ** HALVINGS.filter((h) => at > h).length;
}

/**
 * Random search in the l_infinity ball that asks the model for its outputs alone, so that vanishing or useless
 * gradients do not matter. It starts from vertical stripes of +-eps; a query sets one square of each sample, at a
 * random place, to +-eps, one sign a channel, and is kept where the margin z_y - max_{j != y} z_j gets smaller. The
 * squares shrink by {@link squareShare}. A sample is left alone once it is misclassified; when all are, the search
 * ends. Andriushchenko, Croce, Flammarion and Hein, ECCV 2020.
 *
 * x: (n, channels, height, width), (n, height, width), or (n, features), where squares are intervals. Every sample has
 * draws of its own, and squares touch the last row and column too (in the official code all samples share one place,
 * short of those). The caller owns the result, of x's shape: the point of smallest margin seen, x included. A point to
 * which the model gives no class is never kept; unless the sample is misclassified elsewhere, a NonFiniteError names
 * it. Throws RangeError on a bad option, a label outside the classes or where x lies outside `clip`, ShapeError unless
 * there is a label for each sample and the model gives (n, classes).
 */
export function squareAttack(
  model: AttackedModel,
  x: ArrayInput,
  labels: LabelsInput,
  options: SquareOptions,
): Promise<Tensor> {
  expectOptions('squareAttack', options, ['eps', 'clip', 'queries', 'pInit', 'rescale', 'seed', 'signal']);
  const { queries = 5000, pInit = 0.8 } = options;
  return underAttack('squareAttack', model, [x, labels], options, {
    check: ({ rank, shape }) => {
      check('squareAttack', { queries, pInit }, { queries: integer(1), pInit: between(0, 1, '(]') });
      if (rank > 4)
        throw new ShapeError(
          `squareAttack: x has shape [${shape}], expected (n, channels, height, width), (n, height, width) or ` +
            '(n, features)',
        );
    },
    attack: (attacked) => search(attacked, options),
  });
}

async function search({ model, x, labels, expectGoing }: Attacked, options: SquareOptions): Promise<Tensor> {
  const { queries = 5000, seed = 0 } = options;
  if (x.size === 0) return kept(() => add(x, 0));
  const { gpu } = x;
  const [n, channels, height, width] = planesOf(x);
  const from = splitKey(key(seed), SQUARE);
  const { eps } = options;
  const inPlanes = (radius: Tensor): Tensor => planes(expand(radius, [1, ...x.shape.slice(1)]));
  const signs = (u: Tensor): Tensor =>
    typeof eps === 'number'
      ? where(less(u, 0.5), -eps, eps)
      : mul(where(less(u, 0.5), -1, 1), inPlanes(channelwise(eps, x) as Tensor));
  const inBox = (points: Tensor): Tensor => planes(clipped(reshape(points, x.shape), options));
  const clean = kept(() => noGrad(() => judge(model, x, labels)));
  /** What the host writes before a query: first random item and stream; height and width of the square. */
  const state = kept(() => ({ draw: tensor([0, 0], { dtype: 'u32', gpu }), sides: tensor([0, 0], { gpu }) }));
  const best = kept(() =>
    noGrad(() => {
      const stripes = signs(uniform([n, channels, 1, width], splitKey(from, 0), { gpu }));
      const points = where(perSample(clean.isFooled, x), x, reshape(inBox(add(planes(x), stripes)), x.shape));
      const found = judge(model, points, labels);
      return { x: points, ...found, isLost: logicalOr(clean.isLost, found.isLost) };
    }),
  );
  let step: Captured<{ isOver: Tensor<'bool'> }> | null = null;
  /** Draws of a query: row, column, and a sign for each channel. */
  const query = (): { isOver: Tensor<'bool'> } => {
    const u = uniform([n, 2 + channels], from, { first: state.draw, gpu });
    const line = (axis: 0 | 1, length: number): Tensor<'bool'> => {
      const side = slice(state.sides, { start: axis, end: axis + 1 });
      // Rounding must not lead beyond the last place.
      const start = minimum(
        floor(mul(slice(u, { start: axis, end: axis + 1, axes: 1 }), sub(length + 1, side))),
        sub(length, side),
      );
      const place = tensor(
        Array.from({ length }, (_, i) => i),
        { gpu },
      );
      const inside = logicalAnd(greaterEqual(place, start), less(place, add(start, side)));
      return reshape(inside, axis === 0 ? [n, 1, length, 1] : [n, 1, 1, length]);
    };
    const inside = logicalAnd(line(0, height), line(1, width));
    const painted = add(planes(x), signs(reshape(slice(u, { start: 2, axes: 1 }), [n, channels, 1, 1])));
    const points = reshape(where(inside, inBox(painted), planes(best.x)), x.shape);
    const found = judge(model, points, labels);
    const wins = logicalAnd(logicalNot(best.isFooled), less(found.margin, best.margin));
    copyOver(where(perSample(wins, x), points, best.x), best.x);
    copyOver(where(wins, found.margin, best.margin), best.margin);
    copyOver(where(wins, found.isFooled, best.isFooled), best.isFooled);
    copyOver(logicalOr(best.isLost, found.isLost), best.isLost);
    return { isOver: all(best.isFooled) };
  };
  try {
    for (let i = 1; i < queries; i++) {
      expectGoing();
      state.draw.write([0, i]);
      state.sides.write(sidesOf(squareShare(i, options), height, width));
      if (step) step.run();
      else step = capture(() => noGrad(query), { gpu });
      // Also bounds the queue.
      if (i % CHUNK === 0 && (await step.value.isOver.item())) break;
    }
    await expectWay('squareAttack', best.isLost, () => best.isFooled.detach());
    return kept(() => where(perSample(logicalOr(best.isFooled, lessEqual(best.margin, clean.margin)), x), best.x, x));
  } finally {
    step?.dispose();
    for (const t of [
      state.draw,
      state.sides,
      clean.margin,
      clean.isFooled,
      clean.isLost,
      best.x,
      best.margin,
      best.isFooled,
      best.isLost,
    ])
      t.dispose();
  }
}

function planesOf(x: Tensor): [n: number, channels: number, height: number, width: number] {
  const [n, ...rest] = x.shape as [number, ...number[]];
  return [n, ...[1, 1, ...rest].slice(-3)] as [number, number, number, number];
}

function planes(x: Tensor): Tensor {
  return reshape(x, planesOf(x));
}

/** Height and width of a square with that share of the pixels; in one row an interval. */
function sidesOf(share: number, height: number, width: number): [number, number] {
  if (height === 1) return [1, Math.max(1, Math.round(share * width))];
  const side = Math.min(height, width, Math.max(1, Math.round(Math.sqrt(share * height * width))));
  return [side, side];
}

/** z_y - max_{j != y} z_j of each sample, Infinity where it has no class, and whether it gets another class or none. */
function judge(
  model: AttackedModel,
  points: Tensor,
  labels: Tensor<'i32'>,
): { margin: Tensor; isFooled: Tensor<'bool'>; isLost: Tensor<'bool'> } {
  const logits = model.forward(points);
  const [n, classes] = logits.shape as [number, number];
  const own = reshape(gather(logits, reshape(labels, [n, 1]), { axis: 1 }), [n]);
  const others = max(where(oneHot(labels, classes, { dtype: 'bool' }), LOWEST, logits), { axes: 1 });
  const { isFooled, isLost } = judged(logits, labels);
  return { margin: where(isLost, Infinity, sub(own, others)), isFooled, isLost };
}
