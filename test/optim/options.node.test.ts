import { expect, test } from 'vitest';
import * as optim from 'evenkeel/optim';

const base = optim.sgd({ lr: 0.1 });

/** Every public function of the folder with options: a misspelt one, and what is suggested. */
const cases: [name: string, misspelt: string, meant: string, call: (wrong: never) => unknown][] = [
  ['sgd', 'momentom', 'momentum', (o) => optim.sgd(o)],
  ['adam', 'weightdecay', 'weightDecay', (o) => optim.adam(o)],
  ['adamW', 'beta', 'betas', (o) => optim.adamW(o)],
  ['adagrad', 'lrdecay', 'lrDecay', (o) => optim.adagrad(o)],
  ['rmsprop', 'alpa', 'alpha', (o) => optim.rmsprop(o)],
  ['lamb', 'epss', 'eps', (o) => optim.lamb(o)],
  ['lpDecayAdamW', 'powr', 'power', (o) => optim.lpDecayAdamW(o)],
  ['sam', 'rhoo', 'rho', (o) => optim.sam(o)],
  ['clipGradNorm', 'maxnorm', 'maxNorm', (o) => optim.clipGradNorm(base, o)],
  ['clipGradValue', 'clipvalue', 'clipValue', (o) => optim.clipGradValue(base, o)],
  ['ema', 'decai', 'decay', (o) => optim.ema(o)],
  ['swa', 'fro', 'from', (o) => optim.swa(o)],
  ['cosineLr', 'tmax', 'tMax', (o) => optim.cosineLr(o)],
  ['cosineWarmRestartsLr', 'tmult', 'tMult', (o) => optim.cosineWarmRestartsLr(o)],
  ['linearLr', 'totaliters', 'totalIters', (o) => optim.linearLr(o)],
  ['polynomialLr', 'powr', 'power', (o) => optim.polynomialLr(o)],
  ['cosineWarmupLr', 'warmups', 'warmup', (o) => optim.cosineWarmupLr(o)],
  ['oneCycleLr', 'maxlr', 'maxLr', (o) => optim.oneCycleLr(o)],
  ['swaLr', 'swalr', 'swaLr', (o) => optim.swaLr(o)],
  ['stepLr', 'gama', 'gamma', (o) => optim.stepLr(o)],
  ['multiStepLr', 'milestone', 'milestones', (o) => optim.multiStepLr(o)],
  ['exponentialLr', 'gama', 'gamma', (o) => optim.exponentialLr(o)],
  ['warmupLr', 'epoch', 'epochs', (o) => optim.warmupLr(o)],
  ['drw', 'fro', 'from', (o) => optim.drw(o)],
  ['linfSchedule', 'pstart', 'pStart', (o) => optim.linfSchedule(o)],
];

test.each(cases)('%s: %s is refused, and %s suggested', (name, misspelt, meant, call) => {
  expect(() => call({ [misspelt]: 1 } as never)).toThrow(
    `${name}: unknown option '${misspelt}', did you mean '${meant}'?`,
  );
});
