import { expectOptions } from '../check/options.ts';
import { flatten, relu } from './activations.ts';
import { conv2d, type Conv2d } from './conv2d.ts';
import { cosineLinear } from './cosine-linear.ts';
import { kaimingNormal, startingFrom } from './init.ts';
import type { Layer } from './layer.ts';
import { linear } from './linear.ts';
import { batchNorm } from './norms.ts';
import { padShortcut } from './pad-shortcut.ts';
import { adaptiveAvgPool2d } from './pooling.ts';
import { residual } from './residual.ts';
import { sequential, type Sequential } from './sequential.ts';

/** Options of the CIFAR residual networks. */
export interface ResnetOptions {
  /** Default: 10. */
  classes?: number;
  /**
   * 'linear', or 'cosine' with the factor `scale` (default 1): the NormedLinear head of the LDAM code. Default:
   * 'linear'.
   */
  head?: 'linear' | 'cosine';
  scale?: number;
  /** Channels of the image. Default: 3. */
  channels?: number;
}

const convolution = (inChannels: number, outChannels: number, stride = 1): Conv2d =>
  startingFrom(conv2d(inChannels, outChannels, 3, { stride, padding: 1, bias: false }), { weight: kaimingNormal() });

/**
 * Two 3 x 3 convolutions with batch norm beside a shortcut without parameters, then relu: the basic block, option A.
 */
export function basicBlock(inChannels: number, outChannels: number, stride = 1): Layer {
  const main = sequential({
    conv1: convolution(inChannels, outChannels, stride),
    bn1: batchNorm(outChannels),
    relu: relu(),
    conv2: convolution(outChannels, outChannels),
    bn2: batchNorm(outChannels),
  });
  const shortcut = stride === 1 && inChannels === outChannels ? null : padShortcut(inChannels, outChannels, stride);
  return residual(main, shortcut, { activation: 'relu' });
}

/**
 * The residual network of 6 blocks + 2 layers for 32 x 32 images: widths 16, 32, 64, option-A shortcuts, global average
 * pooling. Convolutions and the linear weight start Kaiming-normal (fan-in), as in the LDAM code, whose parameter names
 * these are. He, Zhang, Ren, Sun, CVPR 2016, section 4.2; Cao et al., NeurIPS 2019.
 */
export function cifarResnet(blocks: number, options: ResnetOptions = {}): Sequential {
  expectOptions('cifarResnet', options, ['classes', 'head', 'scale', 'channels']);
  const { classes = 10, head = 'linear', scale = 1, channels = 3 } = options;
  if (!Number.isInteger(blocks) || blocks < 1)
    throw new RangeError(`cifarResnet: blocks is ${blocks}, expected a positive integer`);
  const stage = (inChannels: number, outChannels: number, stride: number): Layer =>
    sequential(
      ...Array.from({ length: blocks }, (_, i) =>
        basicBlock(i === 0 ? inChannels : outChannels, outChannels, i === 0 ? stride : 1),
      ),
    );
  return sequential({
    conv1: convolution(channels, 16),
    bn1: batchNorm(16),
    relu: relu(),
    layer1: stage(16, 16, 1),
    layer2: stage(16, 32, 2),
    layer3: stage(32, 64, 2),
    pool: adaptiveAvgPool2d(1),
    flatten: flatten(),
    linear:
      head === 'cosine'
        ? cosineLinear(64, classes, { scale })
        : startingFrom(linear(64, classes), { weight: kaimingNormal() }),
  });
}

/** ResNet-20 for CIFAR, 0.27 M parameters; see {@link cifarResnet}. */
export function resnet20(options: ResnetOptions = {}): Sequential {
  return cifarResnet(3, options);
}

/** ResNet-32 for CIFAR, 0.46 M parameters: the network of the long-tail papers; see {@link cifarResnet}. */
export function resnet32(options: ResnetOptions = {}): Sequential {
  return cifarResnet(5, options);
}
