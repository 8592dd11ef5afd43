import { expectOptions } from '../check/options.ts';
import { Flatten, ReLU } from './activation-layers.ts';
import { Conv2d } from './conv-layer.ts';
import { Linear } from './linear-layer.ts';
import { MaxPool2d } from './pooling-layers.ts';
import { Sequential } from './sequential.ts';

/**
 * The LeNet of the randomised-smoothing literature on MNIST (SmoothMix, Jeong et al., NeurIPS 2021, and its baselines):
 * two 5 x 5 convolutions of 20 and 50 filters, each with relu and 2 x 2 max pooling, then 500 hidden units; x: (batch,
 * channels, 28, 28). 431,080 parameters for 10 classes of grey images; no normalisation, PyTorch's starting values.
 */
export function lenet(options: { numClasses?: number; channels?: number } = {}): Sequential {
  expectOptions('lenet', options, ['numClasses', 'channels']);
  const { numClasses = 10, channels = 1 } = options;
  return Sequential({
    conv1: Conv2d(channels, 20, 5),
    relu1: ReLU(),
    pool1: MaxPool2d(2),
    conv2: Conv2d(20, 50, 5),
    relu2: ReLU(),
    pool2: MaxPool2d(2),
    flatten: Flatten(),
    fc1: Linear(800, 500),
    relu3: ReLU(),
    fc2: Linear(500, numClasses),
  });
}
