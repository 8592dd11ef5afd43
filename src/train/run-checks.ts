import { claim, type Claim } from '../check/claim.ts';
import type { Loss, LossFunction } from '../losses/loss.ts';
import type { Objective } from '../losses/objective.ts';
import type { Sequential } from '../nn/sequential.ts';
import { firstNonFinite } from '../tensor/anomaly.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** Steps of an epoch over `n` samples. */
export function stepsPerEpoch(
  n: number,
  {
    batchSize = 128,
    accumulate = 1,
    dropLast = false,
  }: { batchSize?: number | undefined; accumulate?: number | undefined; dropLast?: boolean | undefined },
): number {
  return Math.ceil((dropLast ? Math.floor(n / batchSize) : Math.ceil(n / batchSize)) / accumulate);
}

/** What a loss or objective has that two runs may use at once; anything else is state of one run. */
const STATELESS = new Set(['name', 'reduction', 'setClassWeight', 'dispose', 'box']);

/** What a run holds: the parameters, and the loss where its state is that of one run. */
export function claimsOf(
  model: Sequential,
  {
    loss,
    objective,
    setsClassWeight = false,
  }: {
    loss?: Loss | LossFunction | undefined;
    objective?: Objective | undefined;
    setsClassWeight?: boolean | undefined;
  },
): [Claim, ...Claim[]] {
  const own = claim(
    model.arena,
    'fit',
    (holder) => new Error(`fit: ${holder} has the weights of this model; await it before another run`),
  );
  const isShared = !setsClassWeight && Object.keys((objective ?? loss)!).every((name) => STATELESS.has(name));
  try {
    const refusal = (): Error =>
      new Error(
        `fit: the ${objective ? 'objective' : 'loss'} ${(objective ?? loss)!.name} serves another run, whose ` +
          'class weights or state it holds; make one for each run',
      );
    return [own, claim((objective ?? loss)!, 'fit', refusal, { isShared })];
  } catch (error) {
    own.release();
    throw error;
  }
}

/** What holds a NaN or an infinity, by its bits: 'parameter 0.weight'; null where nothing does. */
export async function firstBad(model: Sequential): Promise<string | null> {
  const { values, grads, parameters } = model.arena;
  const statistics = [...model.namedBuffers].filter((entry): entry is [string, Tensor] => entry[1].dtype === 'f32');
  const at = await firstNonFinite([values, grads, ...statistics.map(([, b]) => b)]);
  if (at < 0) return null;
  if (at >= 2) return `running statistic ${statistics[at - 2]![0]}`;
  const host = await (at === 0 ? values : grads).read();
  for (const [name, p] of parameters) {
    if (host.subarray(p.offset, p.offset + p.size).some((v) => !Number.isFinite(v)))
      return at === 0 ? `parameter ${name}` : `the gradient of ${name}`;
  }
  return 'a parameter';
}
