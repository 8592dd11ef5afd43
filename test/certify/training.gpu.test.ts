import { describe, expect, test } from 'vitest';
import { backward, grad, requireGrad, scope, tensor, type Tensor } from 'evenkeel';
import {
  consistencyTerm,
  consistencyTerms,
  gaussianTerms,
  macerTerms,
  smoothAdvTerms,
  smoothMixTerms,
  stabilityTerms,
  type LossTerms,
  type NoisyInputs,
} from 'evenkeel/objectives';
import { cast, concat, permute, reshape } from 'evenkeel/ops';
import file from '../golden/smoothmix.json';
import { expectWithin } from '../support/check-op.ts';
import { casesOf, dense, flat, type GoldenCase } from '../support/golden.ts';
import { inputsOf, netOf, place } from '../support/noise-net.ts';

const CASES = ['smoothMix', 'smoothAdv', 'consistency', 'macer', 'stability', 'gaussian'];

test('all cases of the file run here', () => {
  const terms = casesOf(file, 'consistencyTerm').length;
  expect([terms + CASES.reduce((sum, op) => sum + casesOf(file, op).length, 0), file.length]).toEqual([29, 29]);
});

/**
 * Loss, parameter gradients, running statistics, and the outputs that `parts` names, all relative to the largest entry.
 */
async function check(
  c: GoldenCase,
  run: (inputs: NoisyInputs) => LossTerms & { parts: Record<string, Tensor> },
): Promise<void> {
  using model = netOf(c);
  const { loss, parts } = scope(() => {
    const terms = run(inputsOf(c, model));
    backward(terms.loss);
    return {
      loss: terms.loss.detach(),
      parts: Object.fromEntries(Object.entries(terms.parts).map(([name, t]) => [name, t.detach()])),
    };
  });
  const state = await model.stateDict();
  const got: Record<string, ArrayLike<number>> = { loss: await loss.read() };
  for (const [name, t] of Object.entries(parts)) got[name] = Array.from(await t.read(), Number);
  for (const [name, p] of model.arena.parameters) got[`grad:${name}`] = await p.grad!.read();
  for (const [name, output] of [
    ['bn.running_mean', 'runningMeanAfter'],
    ['bn.running_var', 'runningVarAfter'],
  ] as const) {
    if (output in c.outputs) got[output] = state.get(name)!.data as Float32Array;
  }
  // The bias before a batch norm has gradient zero: what is left of it is rounding of the others.
  const gradients = Math.max(
    ...Object.keys(c.outputs)
      .filter((n) => n.startsWith('grad:'))
      .flatMap((n) => flat(c.outputs[n]).map(Math.abs)),
  );
  for (const [name, value] of Object.entries(c.outputs)) {
    expect(got[name], `${name} is not compared`).toBeDefined();
    const want = flat(value);
    const largest = Math.max(
      ...want.map(Math.abs),
      name === 'grad:conv.bias' && 'runningMeanAfter' in c.outputs ? gradients : 1e-3,
    );
    expectWithin(got[name]!, { data: Float64Array.from(want), shape: [want.length] }, () => 1e-5 * largest, name);
  }
  for (const t of [loss, ...Object.values(parts)]) t.dispose();
}

/** The points of a path, one below the other. */
const stacked = (path: readonly Tensor[]): Tensor => concat(path.map((p) => reshape(p, [1, ...p.shape])));

describe('golden steps', () => {
  test.each(casesOf(file, 'smoothMix'))('$name', (c) => {
    const { steps, stepSize, mixStep, eta, warmup, maxNorm, maxNormInit } = c.options as Record<string, number>;
    return check(c, (inputs) => {
      // The file has maxNormInit with the warm-up in it.
      const terms = smoothMixTerms({ ...inputs, mixing: place(c.inputs.uniform) }, {
        steps,
        stepSize,
        mixStep,
        eta,
        warmup: tensor(warmup!),
        maxNorm,
        maxNormInit: maxNormInit! / warmup!,
      } as Parameters<typeof smoothMixTerms>[1]);
      const { path, init, xMix, natural, mixed, probability, target, correct } = terms;
      const lambda = tensor(flat(c.inputs.uniform).map((u) => u / 2));
      return {
        loss: terms.loss,
        parts: {
          path: stacked(path),
          init,
          adv: path.at(-1)!,
          lambda,
          xMix,
          lossNat: natural,
          lossMix: mixed,
          avgSoftmax: probability,
          targetMix: target,
          correctMask: correct,
        },
      };
    });
  });
  test.each(casesOf(file, 'smoothAdv'))('$name', (c) => {
    const { steps, epsilon, noGradAttack } = c.options as { steps: number; epsilon: number; noGradAttack: boolean };
    return check(c, (inputs) => {
      const { loss, path } = smoothAdvTerms(inputs, { steps, eps: epsilon, gradientFree: noGradAttack });
      return { loss, parts: { path: stacked(path), adv: path.at(-1)! } };
    });
  });
  test.each(casesOf(file, 'consistency'))('$name', (c) => {
    const { lambda, etaEntropy, smoothAdv } = c.options as {
      lambda: number;
      etaEntropy: number;
      smoothAdv: { steps: number; epsilon: number } | null;
    };
    return check(c, (inputs) => {
      const { loss, crossEntropy, consistency, x } = consistencyTerms(inputs, {
        lambda,
        eta: etaEntropy,
        adversary: smoothAdv ? { eps: smoothAdv.epsilon, steps: smoothAdv.steps } : undefined,
      });
      return { loss, parts: { lossCrossEntropy: crossEntropy, lossConsistency: consistency, adv: x } };
    });
  });
  test.each(casesOf(file, 'macer'))('$name', (c) =>
    check(c, (inputs) => {
      const { sigma, lambda, beta, gamma } = c.options as unknown as Parameters<typeof macerTerms>[1];
      const { loss, classification, robust, used, gap } = macerTerms(inputs, { sigma, lambda, beta, gamma });
      return {
        loss,
        parts: {
          lossClassification: classification,
          lossRobust: c.options.lambda === 0 ? tensor(0) : robust,
          used: cast(used, 'f32'),
          quantileGap: gap,
        },
      };
    }),
  );
  test.each(casesOf(file, 'stability'))('$name', (c) =>
    check(c, (inputs) => {
      const { loss, crossEntropy, stability } = stabilityTerms(inputs, { lambda: c.options.lambda as number });
      return { loss, parts: { lossCrossEntropy: crossEntropy, lossStability: stability } };
    }),
  );
  test.each(casesOf(file, 'gaussian'))('$name', (c) =>
    check(c, (inputs) => {
      const { loss } = gaussianTerms(inputs);
      return { loss, parts: { lossCrossEntropy: loss } };
    }),
  );
  test.each(casesOf(file, 'consistencyTerm'))('$name', async (c) => {
    const { lambda, etaEntropy, form } = c.options as { lambda: number; etaEntropy: number; form: 'default' };
    const [m, batch, classes] = (c.inputs.logits as { shape: [number, number, number] }).shape;
    const [loss, slope] = scope(() => {
      const logits = requireGrad(place(c.inputs.logits));
      const value = consistencyTerm(reshape(permute(logits, [1, 0, 2]), [m * batch, classes]), batch, {
        lambda,
        eta: etaEntropy,
        form,
      });
      return [value.detach(), grad(value, [logits])[0]!];
    });
    for (const [got, want] of [
      [loss!, c.outputs.loss],
      [slope!, c.outputs.gradLogits],
    ] as const) {
      const { data, shape } = dense(want);
      expectWithin(
        await got.read(),
        { data: Float64Array.from(data), shape },
        () => 1e-5 * Math.max(...data.map(Math.abs)),
        c.name,
      );
      got.dispose();
    }
  });
});
