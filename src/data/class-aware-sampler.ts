import { indicesByClass } from './dataset.ts';
import type { Sampler } from './sampler.ts';
import { shuffledIndices } from './shuffle.ts';

/** First streams of class rounds and of passes through a class, above those of other samplers. */
const ROUNDS = 2 ** 40;
const PASSES = 2 ** 50;

/**
 * Class-aware sampling (Shen, Lin, Huang, ECCV 2016): rounds in which every class comes once, in random order; each
 * class hands out its samples without replacement and is shuffled anew when it runs out. Rounds and passes go on from
 * epoch to epoch. An epoch has n draws here, in place of n_max C there.
 */
export function classAwareSampler(): Sampler {
  return (data, { epoch, seed }) => {
    const groups = indicesByClass(data)
      .map((samples, c) => ({ samples, c }))
      .filter(({ samples }) => samples.length > 0);
    const passes = groups.map(() => ({ number: -1, order: new Uint32Array() }));
    let [round, order] = [-1, new Uint32Array()];
    return Uint32Array.from({ length: data.y.length }, (_, i) => {
      const draw = epoch * data.y.length + i;
      const turn = Math.floor(draw / groups.length);
      if (turn !== round) [round, order] = [turn, shuffledIndices(groups.length, seed, ROUNDS + turn)];
      const at = order[draw % groups.length]!;
      const { samples, c } = groups[at]!;
      const pass = passes[at]!;
      const number = Math.floor(turn / samples.length);
      if (pass.number !== number)
        Object.assign(pass, {
          number,
          order: shuffledIndices(samples.length, seed, PASSES + number * data.numClasses + c),
        });
      return samples[pass.order[turn % samples.length]!]!;
    });
  };
}
