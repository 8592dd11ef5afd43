import { expectOptions } from '../check/options.ts';
import { Flatten, ReLU } from './activation-layers.ts';
import { Conv2d } from './conv-layer.ts';
import { Dropout } from './dropout-layer.ts';
import { constant, kaimingNormal, startingFrom } from './init.ts';
import type { Layer } from './layer.ts';
import { Linear } from './linear-layer.ts';
import { BatchNorm } from './norm-layers.ts';
import { AdaptiveAvgPool2d } from './pooling-layers.ts';
import { Residual } from './residual.ts';
import { Sequential } from './sequential.ts';

/** Options of {@link wideResnet}. */
export interface WideResnetOptions {
  /** 6 n + 4: n blocks in each of three stages. */
  depth: number;
  /** Factor of the widths 16, 32, 64. */
  widen: number;
  /** Between the convolutions of a block. Default: 0. */
  dropout?: number;
  /** Default: 10. */
  numClasses?: number;
  /** Channels of the image. Default: 3. */
  channels?: number;
}

const convolution = (inChannels: number, outChannels: number, kernelSize: number, stride = 1): Conv2d =>
  startingFrom(Conv2d(inChannels, outChannels, kernelSize, { stride, padding: kernelSize >> 1, bias: false }), {
    weight: kaimingNormal('fanOut'),
  });

/**
 * A pre-activation block; where the channels change, the shortcut convolves what has passed the first norm and relu
 * too.
 */
function block(inChannels: number, outChannels: number, stride: number, p: number): Layer {
  const rest = {
    conv1: convolution(inChannels, outChannels, 3, stride),
    bn2: BatchNorm(outChannels),
    relu2: ReLU(),
    ...(p > 0 ? { dropout: Dropout(p) } : {}),
    conv2: convolution(outChannels, outChannels, 3),
  };
  const start = { bn1: BatchNorm(inChannels), relu1: ReLU() };
  if (inChannels === outChannels) return Residual(Sequential({ ...start, ...rest }));
  return Sequential({
    ...start,
    '': Residual(Sequential(rest), convolution(inChannels, outChannels, 1, stride), { shortcutName: 'convShortcut' }),
  });
}

/**
 * A wide residual network for 32 x 32 images: `wideResnet({ depth: 28, widen: 10 })` is WRN-28-10. Pre-activation
 * blocks, global average pooling; convolutions start Kaiming-normal (fan-out), biases at 0. Zagoruyko and Komodakis,
 * BMVC 2016; names as in the usual PyTorch port.
 */
export function wideResnet(options: WideResnetOptions): Sequential {
  expectOptions('wideResnet', options, ['depth', 'widen', 'dropout', 'numClasses', 'channels']);
  const { depth, widen, dropout: p = 0, numClasses = 10, channels = 3 } = options;
  const blocks = (depth - 4) / 6;
  if (!Number.isInteger(blocks) || blocks < 1)
    throw new RangeError(`wideResnet: depth is ${depth}, expected 6 n + 4 with n of at least 1`);
  const width = [16, 16 * widen, 32 * widen, 64 * widen] as const;
  const stage = (inChannels: number, outChannels: number, stride: number): Layer =>
    Sequential({
      layer: Sequential(
        ...Array.from({ length: blocks }, (_, i) =>
          block(i === 0 ? inChannels : outChannels, outChannels, i === 0 ? stride : 1, p),
        ),
      ),
    });
  return Sequential({
    conv1: convolution(channels, width[0], 3),
    block1: stage(width[0], width[1], 1),
    block2: stage(width[1], width[2], 2),
    block3: stage(width[2], width[3], 2),
    bn1: BatchNorm(width[3]),
    relu: ReLU(),
    pool: AdaptiveAvgPool2d(1),
    flatten: Flatten(),
    fc: startingFrom(Linear(width[3], numClasses), { bias: constant(0) }),
  });
}
