import { coldStart } from './cold-start.ts';
import { mlpStep, openDevice } from './engines/jax-steps.ts';
import { FIRST_MLP } from './workloads.ts';

coldStart(async () => {
  await openDevice();
  await mlpStep(FIRST_MLP).call();
});
