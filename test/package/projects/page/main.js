// What a first page does: a device, a few tensors, an op, its gradient.
import { backward, init, requireGrad, tensor } from 'evenkeel';
import { mul, reshape, sum } from 'evenkeel/ops';

async function main() {
  const gpu = await init();
  const x = requireGrad(tensor([1, 2, 3, 4]));
  const loss = sum(mul(reshape(x, [2, 2]), reshape(x, [2, 2])));
  backward(loss);
  const result = { loss: await loss.item(), grad: Array.from(await x.grad.read()) };
  gpu.destroy();
  return result;
}

main().then(
  (result) => (window.result = result),
  (error) => (window.result = { error: String(error) }),
);
