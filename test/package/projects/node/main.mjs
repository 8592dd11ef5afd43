import { init, tensor } from 'evenkeel';
import 'evenkeel/methods';
import { add } from 'evenkeel/ops';

const gpu = await init();
console.log(
  JSON.stringify(
    Array.from(
      await add(tensor([1, 2]), 1)
        .relu()
        .read(),
    ),
  ),
);
gpu.destroy();
process.exit();
