import { check, integer, listOf } from '../check/check.ts';
import type { Dataset } from '../data/dataset.ts';
import { ShapeError } from '../gpu/errors.ts';
import { nll } from '../metrics/index.ts';
import { sameShape } from '../tensor/shape.ts';
import type { NdArray } from '../tensor/ndarray.ts';
import { evaluate, type Metric } from './evaluate.ts';
import type { Hook } from './hook.ts';

/** Labelled samples on the host, such as a data set. */
export interface ValidationData {
  /** (n, ...features), as the training data. */
  x: NdArray;
  /** (n), classes of the training data. */
  y: ArrayLike<number>;
}

/** Throws ShapeError or RangeError on validation data that have not the shape and the classes of the training data. */
export function checkValidation({ x, y }: ValidationData, data: Dataset): void {
  if (!(x?.length > 0) || !y) throw new ShapeError('fit: validation is empty, expected x and y of at least one sample');
  if (!sameShape(x.shape.slice(1), data.x.shape.slice(1)))
    throw new ShapeError(
      `fit: validation has samples of shape [${x.shape.slice(1)}], expected [${data.x.shape.slice(1)}], ` +
        'as the training data',
    );
  if (y.length !== x.length)
    throw new ShapeError(`fit: validation has ${y.length} labels, expected ${x.length}, one per sample`);
  check('fit: validation', { y }, listOf(integer(0, data.numClasses - 1)));
}

/** Scores the model after each epoch. */
export function validating(data: ValidationData, metrics: Readonly<Record<string, Metric>> = {}): Hook {
  return {
    name: 'validation',
    async epochEnd(_, { model, history }) {
      const { probabilities, accuracy, balancedAccuracy, scores } = await evaluate(model, data, { metrics });
      (history.validation ??= []).push({ nll: nll(probabilities, data.y), accuracy, balancedAccuracy, ...scores });
    },
  };
}
