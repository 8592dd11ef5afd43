import { init, tensor } from 'evenkeel';
import { add } from 'evenkeel/ops';

const gpu = await init();
console.log(JSON.stringify(Array.from(await add(tensor([1, 2]), 1).read())));
gpu.destroy();
process.exit();
