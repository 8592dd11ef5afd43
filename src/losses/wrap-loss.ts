import type { Reduction } from '../ops/reduction.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { asLoss } from './define.ts';
import { lossOf, type LossCall } from './kernel-loss.ts';
import type { Loss, LossFunction } from './loss.ts';

/** What {@link wrapLoss} takes. */
interface Wrapped {
  name: string;
  call: LossCall;
  /** Default: that of the first loss. */
  reduction?: Reduction;
  /** Freed with the loss, besides the losses inside. */
  owns?: readonly { dispose(): void }[];
}

/** A loss around others, which its class weights reach and its disposal frees. */
export function wrapLoss(
  losses: readonly Pick<Loss, 'reduction' | 'setClassWeight' | 'dispose'>[],
  { name, call, reduction = losses[0]!.reduction, owns = [] }: Wrapped,
): Loss {
  return lossOf(name, {
    call,
    reduction,
    setClassWeight: (weight) => losses.forEach((loss) => loss.setClassWeight(weight)),
    dispose() {
      for (const part of [...losses, ...owns]) part.dispose();
    },
  });
}

/** `loss` of mapped logits, named `name(loss)`: weights, reduction and lifetime are those of the loss. */
export function onLogits(
  name: string,
  loss: Loss | LossFunction,
  map: (logits: Tensor) => Tensor,
  owns: Wrapped['owns'] = [],
): Loss {
  const base = asLoss(loss, name);
  return wrapLoss([base], {
    name: `${name}(${base.name})`,
    call: (logits, labels, inputs) => base(map(logits), labels, inputs),
    owns,
  });
}
