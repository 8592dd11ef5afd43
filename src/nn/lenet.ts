import { expectOptions } from '../check/options.ts';
import { flatten, relu } from './activations.ts';
import { conv2d } from './conv2d.ts';
import { linear } from './linear.ts';
import { maxPool2d } from './pooling.ts';
import { sequential, type Sequential } from './sequential.ts';

/**
 * The LeNet of the randomised-smoothing literature on MNIST (SmoothMix, Jeong et al., NeurIPS 2021, and its baselines):
 * two 5 x 5 convolutions of 20 and 50 filters, each with relu and 2 x 2 max pooling, then 500 hidden units; x: (batch,
 * channels, 28, 28). 431,080 parameters for 10 classes of grey images; no normalisation, PyTorch's starting values.
 */
export function lenet(options: { classes?: number; channels?: number } = {}): Sequential {
  expectOptions('lenet', options, ['classes', 'channels']);
  const { classes = 10, channels = 1 } = options;
  return sequential({
    conv1: conv2d(channels, 20, 5),
    relu1: relu(),
    pool1: maxPool2d(2),
    conv2: conv2d(20, 50, 5),
    relu2: relu(),
    pool2: maxPool2d(2),
    flatten: flatten(),
    fc1: linear(800, 500),
    relu3: relu(),
    fc2: linear(500, classes),
  });
}
