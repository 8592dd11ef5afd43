/** A layer, or a model of layers, as far as the p of its distances is concerned. */
interface WithPower {
  readonly power?: { readonly value: number };
  readonly children?: Readonly<Record<string, WithPower>>;
}

/** The p of the distance layers in a model: numbers of the host that passes read and that no snapshot holds. */
export function powersOf(model: object): string {
  const found = new Set<{ readonly value: number }>();
  const visit = ({ power, children = {} }: WithPower): void => {
    if (power) found.add(power);
    Object.values(children).forEach(visit);
  };
  visit(model);
  return Array.from(found, ({ value }) => value).join();
}

/** Throws, naming `what`, unless the p of the distance layers of a model that is `under` it is that of `before`. */
export function expectPowers(
  what: string,
  model: object,
  before: string,
  under: 'certification' | 'attack' = 'certification',
): void {
  const now = powersOf(model);
  if (now === before) return;
  throw new Error(
    `${what}: p of a distance layer changed from ${before} to ${now} while the model was under ${under}, which ` +
      'is about one model; await it before power.set()',
  );
}
