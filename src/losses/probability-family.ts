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

/** A loss of the label's probability: its constants live in one small device table. */
export function probabilityFamily(
  name: string,
  kind: ProbabilityLossKind,
  constants: readonly number[],
  options: PerSampleOptions & ProbabilityLossOptions,
): ProbabilityFamily {
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
      return probabilityLoss(logits, labels, kind, table, options);
    },
    options,
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
  if (!(value > above && value < Infinity)) throw new RangeError(`${what} is ${value}, expected a finite number > ${above}`);
}
