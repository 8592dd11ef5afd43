// A page without a bundler: the names of a bundler by an import map, and all of it as one file.
import { init, scope, tensor } from 'evenkeel';
import { countParameters, Linear, ReLU, Sequential } from 'evenkeel/nn';
import { add, relu as reluOp } from 'evenkeel/ops';
import * as single from './node_modules/evenkeel/dist/evenkeel.min.js';

async function main() {
  const gpu = await init();
  const model = Sequential(Linear(2, 2), ReLU()).init({ seed: 0 });
  const y = scope(() => reluOp(add(tensor([-3, 1]), 1)));
  const result = {
    y: Array.from(await y.read()),
    parameters: countParameters(model),
    isOne: single.nn.Linear === Linear && single.init === init,
  };
  gpu.destroy();
  return result;
}

main().then(
  (result) => (window.result = result),
  (error) => (window.result = { error: String(error) }),
);
