import { backward, capture, empty, tensor, type Captured, type Tensor } from 'evenkeel';
import { crossEntropyLoss } from 'evenkeel/losses';
import { Linear, ReLU, Sequential } from 'evenkeel/nn';
import { sgd } from 'evenkeel/optim';

/** A captured training step of 784-256-128-10 on a batch of `rows`, and what to dispose. */
export function mlpStep(rows: number): { step: Captured<Tensor>; dispose(): void } {
  const model = Sequential(Linear(784, 256), ReLU(), Linear(256, 128), ReLU(), Linear(128, 10)).init({ seed: 0 });
  const loss = crossEntropyLoss();
  const optimizer = sgd({ lr: 0.05, momentum: 0.9 }).for(model);
  const x = empty([rows, 784]).write(new Float32Array(rows * 784).fill(0.1));
  const y = tensor(new Int32Array(rows).fill(3), { dtype: 'i32' });
  const step = capture(() => {
    const value = loss(model.forward(x), y);
    backward(value);
    optimizer.step();
    return value;
  });
  return { step, dispose: () => [step, optimizer, loss, model, x, y].forEach((t) => t.dispose()) };
}
