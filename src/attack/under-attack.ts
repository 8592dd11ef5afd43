import type { ArrayInput, LabelsInput } from '../tensor/array-input.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { checkBall, readInside, type Ball } from './ball.ts';
import { checkBatch, checked, holding, onDevice, type AttackedModel } from './model.ts';

/** What an attack works with. */
export interface Attacked {
  /** In evaluation mode, with the weights that it had when the attack began; its outputs are checked. */
  model: AttackedModel;
  /** Samples (n, ...) inside `clip`, and the label of each. */
  x: Tensor;
  labels: Tensor<'i32'>;
  /** Throws, before a step, where the attack was aborted or the model is no longer that of its beginning. */
  expectGoing(): void;
}

/**
 * `attack`, which goes by `op`, on samples and labels wherever they lie. `check` throws on options that do not suit
 * the samples. Throws RangeError on a bad ball, a label outside the classes or where x lies outside `clip`, ShapeError
 * unless there is a label for each sample and the model gives (n, classes).
 */
export function underAttack(
  op: string,
  model: AttackedModel,
  [samples, of]: readonly [ArrayInput, LabelsInput],
  options: Ball & { signal?: AbortSignal },
  { check, attack }: { check: (x: Tensor) => void; attack: (attacked: Attacked) => Promise<Tensor> },
): Promise<Tensor> {
  return holding(op, model, (held) =>
    onDevice(op, held, samples, of, async (x, labels) => {
      checkBatch(op, x, labels);
      checkBall(op, options, x.shape);
      check(x);
      const expectGoing = (): void => {
        options.signal?.throwIfAborted();
        held.expectSame();
      };
      return attack({
        model: checked(op, held, await readInside(op, x, labels, options)),
        x,
        labels,
        expectGoing,
      });
    }),
  );
}
