import { init } from 'evenkeel';
import { coldStart } from './cold-start.ts';
import { mlpStep } from './engines/evenkeel-steps.ts';
import { FIRST_MLP } from './workloads.ts';

coldStart(async () => {
  const step = mlpStep(await init(), FIRST_MLP);
  await step.prepare();
  await step.call();
});
