/** What a run holds for itself while it lasts, such as the parameters that it trains. */
export interface Claim {
  /** Who holds it, for the reader of an error: 'fit'. */
  readonly by: string;
  /** True while the run stands still, as `fit` does in `onEpoch`: others may then borrow what it holds. */
  isWaiting: boolean;
  /** True where the run only reads it, as others may then. */
  readonly isShared: boolean;
  /** True while nobody has borrowed it. */
  readonly isTop: boolean;
  /** Gives it back. Idempotent. */
  release(): void;
}

const claims = new WeakMap<object, Claim[]>();

/** Who holds `target` now. */
export function holderOf(target: object): Claim | undefined {
  return claims.get(target)?.at(-1);
}

/**
 * Takes `target` for a run. Throws what `refusal` gives when another run holds it, unless both share it, or `borrows`
 * is asked and the other waits.
 */
export function claim(
  target: object,
  by: string,
  refusal: (holder: string) => Error,
  { isShared = false, borrows = false } = {},
): Claim {
  const held = claims.get(target) ?? [];
  const holder = held.at(-1);
  if (holder && !(isShared && holder.isShared) && !(borrows && holder.isWaiting)) throw refusal(holder.by);
  const own: Claim = {
    by,
    isWaiting: false,
    isShared,
    get isTop() {
      return held.at(-1) === own;
    },
    release: () => {
      const at = held.indexOf(own);
      if (at >= 0) held.splice(at, 1);
    },
  };
  held.push(own);
  claims.set(target, held);
  return own;
}
