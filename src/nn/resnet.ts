import { check, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { Flatten, ReLU } from './activation-layers.ts';
import { Conv2d } from './conv-layer.ts';
import { CosineLinear } from './cosine-linear.ts';
import { kaimingNormal, startingFrom } from './init.ts';
import type { Layer } from './layer.ts';
import { Linear } from './linear-layer.ts';
import { BatchNorm } from './norm-layers.ts';
import { PadShortcut } from './pad-shortcut.ts';
import { AdaptiveAvgPool2d } from './pooling-layers.ts';
import { Residual } from './residual.ts';
import { Sequential } from './sequential.ts';

/** Options of the CIFAR residual networks. */
export interface ResnetOptions {
  /** Default: 10. */
  numClasses?: number;
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
  startingFrom(Conv2d(inChannels, outChannels, 3, { stride, padding: 1, bias: false }), { weight: kaimingNormal() });

/**
 * The basic block with option A: two 3 x 3 convolutions with batch norm, plus a shortcut without parameters, then relu.
 */
export function BasicBlock(inChannels: number, outChannels: number, stride = 1): Layer {
  const main = Sequential({
    conv1: convolution(inChannels, outChannels, stride),
    bn1: BatchNorm(outChannels),
    relu: ReLU(),
    conv2: convolution(outChannels, outChannels),
    bn2: BatchNorm(outChannels),
  });
  const shortcut = stride === 1 && inChannels === outChannels ? null : PadShortcut(inChannels, outChannels, stride);
  return Residual(main, shortcut, { activation: 'relu' });
}

/**
 * The residual network of 6 blocks + 2 layers for 32 x 32 images: widths 16, 32, 64, option-A shortcuts, global average
 * pooling. Convolutions and the linear weight start Kaiming-normal (fan-in), as in the LDAM code, whose parameter names
 * these are. He, Zhang, Ren, Sun, CVPR 2016, section 4.2; Cao et al., NeurIPS 2019.
 */
export function cifarResnet(blocks: number, options: ResnetOptions = {}): Sequential {
  expectOptions('cifarResnet', options, ['numClasses', 'head', 'scale', 'channels']);
  const { numClasses = 10, head = 'linear', scale = 1, channels = 3 } = options;
  check('cifarResnet', { blocks }, { blocks: integer(1) });
  const stage = (inChannels: number, outChannels: number, stride: number): Layer =>
    Sequential(
      ...Array.from({ length: blocks }, (_, i) =>
        BasicBlock(i === 0 ? inChannels : outChannels, outChannels, i === 0 ? stride : 1),
      ),
    );
  return Sequential({
    conv1: convolution(channels, 16),
    bn1: BatchNorm(16),
    relu: ReLU(),
    layer1: stage(16, 16, 1),
    layer2: stage(16, 32, 2),
    layer3: stage(32, 64, 2),
    pool: AdaptiveAvgPool2d(1),
    flatten: Flatten(),
    linear:
      head === 'cosine'
        ? CosineLinear(64, numClasses, { scale })
        : startingFrom(Linear(64, numClasses), { weight: kaimingNormal() }),
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
