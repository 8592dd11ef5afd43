import { Linear, Sequential } from 'evenkeel/nn';

/** The classifier of two classes with logits w x and 0. */
export function linearNet(w: readonly number[]): Sequential {
  const model = Sequential(Linear(w.length, 2)).init({ seed: 0 });
  return model.loadStateDict(
    new Map([
      ['0.weight', { data: [...w, ...w.map(() => 0)], shape: [2, w.length] }],
      ['0.bias', { data: [0, 0], shape: [2] }],
    ]),
  );
}
