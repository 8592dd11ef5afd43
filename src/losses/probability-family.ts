import type { Gpu } from '../gpu/device.ts';
import { probabilityLoss, type ProbabilityLossKind, type ProbabilityLossOptions } from '../ops/probability-loss.ts';
import { unscoped } from '../tensor/scope.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Loss } from './loss.ts';
import { perSampleLoss, type PerSampleOptions } from './per-sample-loss.ts';

/** A loss on `probabilityLoss` whose constants the host can rewrite; a captured step follows. */
export interface ProbabilityFamily {
  loss: Loss;
  setConstants(constants: readonly number[]): void;
}

/**
 * A loss of the label's probability: its constants live in one small device table. Throws RangeError on epsilon or
 * floor outside [0, 1).
 */
export function probabilityFamily(
  name: string,
  kind: ProbabilityLossKind,
  constants: readonly number[],
  options: PerSampleOptions & ProbabilityLossOptions,
): ProbabilityFamily {
  for (const option of ['epsilon', 'floor'] as const) {
    const value = options[option] ?? 0;
    if (!(value >= 0 && value < 1)) throw new RangeError(`${name}: ${option} is ${value}, expected 0 <= ${option} < 1`);
  }
  const { order, detach, epsilon, floor } = options;
  const tables = new Map<Gpu, Tensor>();
  const padded = (list: readonly number[]): number[] => [0, 1, 2, 3].map((i) => list[i] ?? 0);
  let current = padded(constants);
  const loss = perSampleLoss(
    name,
    (logits, labels) => {
      let table = tables.get(logits.gpu);
      if (!table) {
        table = unscoped(() => tensor(current, { gpu: logits.gpu }));
        tables.set(logits.gpu, table);
      }
      return probabilityLoss(logits, labels, kind, table, { order, detach, epsilon, floor });
    },
    { weight: options.weight, reduction: options.reduction, classes: options.classes, fused: true },
  );
  const disposeWeights = loss.dispose;
  const dispose = (): void => {
    disposeWeights();
    for (const table of tables.values()) table.dispose();
    tables.clear();
  };
  return {
    loss: Object.assign(loss, { dispose }),
    setConstants(next) {
      current = padded(next);
      for (const table of tables.values()) table.write(current);
    },
  };
}

/** Throws a RangeError unless `value` is a finite number above `above`. */
export function expectAbove(what: string, value: number, above: number): void {
  if (!(value > above && value < Infinity))
    throw new RangeError(`${what} is ${value}, expected a finite number > ${above}`);
}

/** Throws a RangeError unless every number is finite and at least 0. */
export function expectFactors(where: string, factors: Record<string, number>): void {
  for (const [name, value] of Object.entries(factors)) {
    if (!(value >= 0 && value < Infinity))
      throw new RangeError(`${where}: ${name} is ${value}, expected a finite number >= 0`);
  }
}
