import { NdArray } from 'evenkeel';
import {
  ABSTAIN,
  certifyAtRadius,
  certifyBounds,
  certifyInputSpecific,
  certifyStaged,
  type AtRadiusOptions,
  type Certificates,
  type CertifyBoundsOptions,
  type CertifyOptions,
  type InputSpecificOptions,
  type NoisyClassifier,
  type Smooth,
  type StagedOptions,
} from 'evenkeel/certify';
import type { Sequential } from 'evenkeel/nn';

const SINGULAR: Readonly<Record<string, string>> = { labels: 'label', radii: 'radius', decisions: 'decision' };

/** What certificates say of one input, by its place: an entry of each list. */
export type One<C> = {
  [
    K in keyof C as K extends 'labels' ? 'label' : K extends 'radii' ? 'radius' : K extends 'decisions' ? 'decision' : K
  ]: C[K] extends NdArray<infer D> ? D : C[K] extends ArrayLike<infer E> ? E : never;
};

/** The certificates of several inputs, one after the other. */
export function each<C extends Certificates>(all: C): One<C>[] {
  return Array.from(
    all.labels,
    (_, i) =>
      Object.fromEntries(
        Object.entries(all).map(([name, list]) => [
          SINGULAR[name] ?? name,
          list instanceof NdArray ? list.at(i).data : (list as ArrayLike<unknown>)[i],
        ]),
      ) as One<C>,
  );
}

/** One input, without batch axis, as a batch of one. */
export const batchOf = (x: NdArray): NdArray => new NdArray(x.data, [1, ...x.shape]);

/** `Smooth.certify` of one input, without batch axis, whose noise is that of `index`. */
export async function certifyOne(
  smooth: Smooth,
  x: NdArray,
  { index = 0, ...options }: CertifyOptions & { index?: number } = {},
) {
  return each(await smooth.certify(batchOf(x), { ...options, indices: [index] }))[0]!;
}

/** `Smooth.predict` of one input, without batch axis. */
export async function predictOne(smooth: Smooth, x: NdArray, options: Omit<CertifyOptions, 'n0'> = {}) {
  return (await smooth.predict(batchOf(x), options)).labels[0]!;
}

/** Counts over n copies of one input that no earlier call has seen. */
export type Counts = (n: number) => Promise<ArrayLike<number>>;

const drawn = (counts: Counts, sigma: number): NoisyClassifier => ({
  sigma,
  count: async (_, { n }) => {
    const data = await counts(n);
    return { data, shape: [1, data.length] };
  },
});

type Of<O> = O & { sigma: number };

/** `certifyAtRadius` of one input by its counts. */
export async function atRadius(counts: Counts, { sigma, ...options }: Of<AtRadiusOptions>) {
  return each(await certifyAtRadius(drawn(counts, sigma), [[0]], options))[0]!;
}

/** `certifyStaged` of one input by its counts. */
export async function staged(counts: Counts, { sigma, ...options }: Of<StagedOptions>) {
  return each(await certifyStaged(drawn(counts, sigma), [[0]], options))[0]!;
}

/** `certifyInputSpecific` of one input by its counts. */
export async function inputSpecific(counts: Counts, { sigma, ...options }: Of<InputSpecificOptions>) {
  return each(await certifyInputSpecific(drawn(counts, sigma), [[0]], options))[0]!;
}

/** `certifyBounds`, and which inputs are certified. */
export async function boundsOf(
  model: Sequential,
  x: Parameters<typeof certifyBounds>[1],
  options: CertifyBoundsOptions,
) {
  const found = await certifyBounds(model, x, options);
  return { ...found, certified: Array.from(found.labels, (label) => label !== ABSTAIN) };
}
