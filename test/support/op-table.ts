import { tensor, zeros, type DType, type Tensor } from 'evenkeel';
import * as ops from 'evenkeel/ops';
import { key } from 'evenkeel/random';

/** What is promised of one op, and what two other engines call it. */
export interface OpRow {
  name: string;
  /** Element types of its (first) tensor. */
  dtypes: string;
  /** How often it can be differentiated: not at all, once (a fused backward kernel), or any number of times. */
  gradient: 'none' | 1 | 'any';
  /** Row of docs/tolerances.md, or what its own evaluation is. */
  tolerance: string;
  /** In @tensorflow/tfjs-core 4.22; empty: not there under any name. */
  tfjs: string;
  /** In @jax-js/jax 0.1.25 (numpy, nn, lax, scipySpecial); empty: not there under any name. */
  jax: string;
  /** A call on x of shape [4, 6], values 0.1 to 0.9, or integers 0 to 4. */
  sample: (x: Any) => Tensor<DType>;
}

// The samples are called with every element type, the wrong ones on purpose.
type Any = any;

const row = (x: Any): Any => ops.reshape(x, [24]);
const image = (x: Any): Any => ops.reshape(x, [1, 2, 3, 4]);
const column = (): Tensor<'i32'> => tensor([0, 1, 2, 3], { shape: [4, 1], dtype: 'i32' });

/** Every op of `evenkeel/ops`. */
export const TABLE: readonly OpRow[] = [
  { name: 'abs', dtypes: 'f32 i32 u32', gradient: 'any', tolerance: 'copy', tfjs: 'abs', jax: 'abs', sample: (x) => ops.abs(x) },
  { name: 'ceil', dtypes: 'f32', gradient: 'any', tolerance: 'copy', tfjs: 'ceil', jax: 'ceil', sample: (x) => ops.ceil(x) },
  { name: 'clamp', dtypes: 'f32', gradient: 'any', tolerance: 'copy', tfjs: 'clipByValue', jax: 'clip', sample: (x) => ops.clamp(x, 0.3, 0.7) },
  { name: 'cos', dtypes: 'f32', gradient: 'any', tolerance: 'own polynomial', tfjs: 'cos', jax: 'cos', sample: (x) => ops.cos(x) },
  { name: 'erf', dtypes: 'f32', gradient: 'any', tolerance: 'own polynomial', tfjs: 'erf', jax: 'erf', sample: (x) => ops.erf(x) },
  { name: 'exp', dtypes: 'f32', gradient: 'any', tolerance: 'WGSL', tfjs: 'exp', jax: 'exp', sample: (x) => ops.exp(x) },
  { name: 'expm1', dtypes: 'f32', gradient: 'any', tolerance: 'own series', tfjs: 'expm1', jax: 'expm1', sample: (x) => ops.expm1(x) },
  { name: 'floor', dtypes: 'f32', gradient: 'any', tolerance: 'copy', tfjs: 'floor', jax: 'floor', sample: (x) => ops.floor(x) },
  { name: 'log', dtypes: 'f32', gradient: 'any', tolerance: 'WGSL', tfjs: 'log', jax: 'log', sample: (x) => ops.log(x) },
  { name: 'log1p', dtypes: 'f32', gradient: 'any', tolerance: 'own series', tfjs: 'log1p', jax: 'log1p', sample: (x) => ops.log1p(x) },
  { name: 'neg', dtypes: 'f32 i32 u32', gradient: 'any', tolerance: 'copy', tfjs: 'neg', jax: 'negative', sample: (x) => ops.neg(x) },
  { name: 'powScalar', dtypes: 'f32', gradient: 'any', tolerance: 'WGSL', tfjs: 'pow', jax: 'power', sample: (x) => ops.powScalar(x, 3) },
  { name: 'reciprocal', dtypes: 'f32', gradient: 'any', tolerance: 'arithmetic', tfjs: 'reciprocal', jax: 'reciprocal', sample: (x) => ops.reciprocal(x) },
  { name: 'round', dtypes: 'f32', gradient: 'any', tolerance: 'copy', tfjs: 'round', jax: 'round', sample: (x) => ops.round(x) },
  { name: 'rsqrt', dtypes: 'f32', gradient: 'any', tolerance: 'WGSL', tfjs: 'rsqrt', jax: '', sample: (x) => ops.rsqrt(x) },
  { name: 'sign', dtypes: 'f32', gradient: 'any', tolerance: 'copy', tfjs: 'sign', jax: 'sign', sample: (x) => ops.sign(x) },
  { name: 'sin', dtypes: 'f32', gradient: 'any', tolerance: 'own polynomial', tfjs: 'sin', jax: 'sin', sample: (x) => ops.sin(x) },
  { name: 'sqrt', dtypes: 'f32', gradient: 'any', tolerance: 'WGSL', tfjs: 'sqrt', jax: 'sqrt', sample: (x) => ops.sqrt(x) },
  { name: 'square', dtypes: 'f32', gradient: 'any', tolerance: 'arithmetic', tfjs: 'square', jax: 'square', sample: (x) => ops.square(x) },
  { name: 'tanh', dtypes: 'f32', gradient: 'any', tolerance: 'own series', tfjs: 'tanh', jax: 'tanh', sample: (x) => ops.tanh(x) },
  { name: 'trunc', dtypes: 'f32', gradient: 'any', tolerance: 'copy', tfjs: '', jax: 'trunc', sample: (x) => ops.trunc(x) },
  { name: 'elu', dtypes: 'f32', gradient: 'any', tolerance: 'own series', tfjs: 'elu', jax: 'elu', sample: (x) => ops.elu(x) },
  { name: 'gelu', dtypes: 'f32', gradient: 'any', tolerance: 'own polynomial', tfjs: '', jax: 'gelu', sample: (x) => ops.gelu(x) },
  { name: 'hardtanh', dtypes: 'f32', gradient: 'any', tolerance: 'copy', tfjs: '', jax: 'hardTanh', sample: (x) => ops.hardtanh(x) },
  { name: 'leakyRelu', dtypes: 'f32', gradient: 'any', tolerance: 'arithmetic', tfjs: 'leakyRelu', jax: 'leakyRelu', sample: (x) => ops.leakyRelu(x) },
  { name: 'logSigmoid', dtypes: 'f32', gradient: 'any', tolerance: 'own series', tfjs: 'logSigmoid', jax: 'logSigmoid', sample: (x) => ops.logSigmoid(x) },
  { name: 'relu', dtypes: 'f32', gradient: 'any', tolerance: 'copy', tfjs: 'relu', jax: 'relu', sample: (x) => ops.relu(x) },
  { name: 'sigmoid', dtypes: 'f32', gradient: 'any', tolerance: 'WGSL', tfjs: 'sigmoid', jax: 'sigmoid', sample: (x) => ops.sigmoid(x) },
  { name: 'silu', dtypes: 'f32', gradient: 'any', tolerance: 'WGSL', tfjs: '', jax: 'silu', sample: (x) => ops.silu(x) },
  { name: 'softplus', dtypes: 'f32', gradient: 'any', tolerance: 'own series', tfjs: 'softplus', jax: 'softplus', sample: (x) => ops.softplus(x) },
  { name: 'add', dtypes: 'f32 i32 u32', gradient: 'any', tolerance: 'arithmetic', tfjs: 'add', jax: 'add', sample: (x) => ops.add(x, x) },
  { name: 'sub', dtypes: 'f32 i32 u32', gradient: 'any', tolerance: 'arithmetic', tfjs: 'sub', jax: 'subtract', sample: (x) => ops.sub(x, 1) },
  { name: 'mul', dtypes: 'f32 i32 u32', gradient: 'any', tolerance: 'arithmetic', tfjs: 'mul', jax: 'multiply', sample: (x) => ops.mul(x, x) },
  { name: 'div', dtypes: 'f32 i32 u32', gradient: 'any', tolerance: 'arithmetic', tfjs: 'div', jax: 'divide', sample: (x) => ops.div(x, x) },
  { name: 'pow', dtypes: 'f32', gradient: 'any', tolerance: 'WGSL', tfjs: 'pow', jax: 'power', sample: (x) => ops.pow(x, x) },
  { name: 'maximum', dtypes: 'f32 i32 u32', gradient: 'any', tolerance: 'copy', tfjs: 'maximum', jax: 'maximum', sample: (x) => ops.maximum(x, 1) },
  { name: 'minimum', dtypes: 'f32 i32 u32', gradient: 'any', tolerance: 'copy', tfjs: 'minimum', jax: 'minimum', sample: (x) => ops.minimum(x, 1) },
  { name: 'where', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: 'where', jax: 'where', sample: (x) => ops.where(x, x, x) },
  { name: 'equal', dtypes: 'f32 i32 u32 bool', gradient: 'none', tolerance: 'copy', tfjs: 'equal', jax: 'equal', sample: (x) => ops.equal(x, x) },
  { name: 'notEqual', dtypes: 'f32 i32 u32 bool', gradient: 'none', tolerance: 'copy', tfjs: 'notEqual', jax: 'notEqual', sample: (x) => ops.notEqual(x, x) },
  { name: 'greater', dtypes: 'f32 i32 u32', gradient: 'none', tolerance: 'copy', tfjs: 'greater', jax: 'greater', sample: (x) => ops.greater(x, x) },
  { name: 'greaterEqual', dtypes: 'f32 i32 u32', gradient: 'none', tolerance: 'copy', tfjs: 'greaterEqual', jax: 'greaterEqual', sample: (x) => ops.greaterEqual(x, x) },
  { name: 'less', dtypes: 'f32 i32 u32', gradient: 'none', tolerance: 'copy', tfjs: 'less', jax: 'less', sample: (x) => ops.less(x, x) },
  { name: 'lessEqual', dtypes: 'f32 i32 u32', gradient: 'none', tolerance: 'copy', tfjs: 'lessEqual', jax: 'lessEqual', sample: (x) => ops.lessEqual(x, x) },
  { name: 'logicalAnd', dtypes: 'bool', gradient: 'none', tolerance: 'copy', tfjs: 'logicalAnd', jax: 'logicalAnd', sample: (x) => ops.logicalAnd(x, x) },
  { name: 'logicalOr', dtypes: 'bool', gradient: 'none', tolerance: 'copy', tfjs: 'logicalOr', jax: 'logicalOr', sample: (x) => ops.logicalOr(x, x) },
  { name: 'logicalXor', dtypes: 'bool', gradient: 'none', tolerance: 'copy', tfjs: 'logicalXor', jax: 'logicalXor', sample: (x) => ops.logicalXor(x, x) },
  { name: 'logicalNot', dtypes: 'bool', gradient: 'none', tolerance: 'copy', tfjs: 'logicalNot', jax: 'logicalNot', sample: (x) => ops.logicalNot(x) },
  { name: 'isFinite', dtypes: 'f32', gradient: 'none', tolerance: 'copy', tfjs: 'isFinite', jax: 'isfinite', sample: (x) => ops.isFinite(x) },
  { name: 'cast', dtypes: 'f32 i32 u32 bool f16', gradient: 'any', tolerance: 'copy', tfjs: 'cast', jax: 'astype', sample: (x) => ops.cast(x, 'f32') },
  { name: 'sum', dtypes: 'f32 i32 u32', gradient: 'any', tolerance: 'sum', tfjs: 'sum', jax: 'sum', sample: (x) => ops.sum(x, { axes: 1 }) },
  { name: 'mean', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: 'mean', jax: 'mean', sample: (x) => ops.mean(x, { axes: 1 }) },
  { name: 'prod', dtypes: 'f32 i32 u32', gradient: 'any', tolerance: 'product', tfjs: 'prod', jax: 'prod', sample: (x) => ops.prod(x, { axes: 1 }) },
  { name: 'max', dtypes: 'f32 i32 u32', gradient: 'any', tolerance: 'copy', tfjs: 'max', jax: 'max', sample: (x) => ops.max(x, { axes: 1 }) },
  { name: 'min', dtypes: 'f32 i32 u32', gradient: 'any', tolerance: 'copy', tfjs: 'min', jax: 'min', sample: (x) => ops.min(x, { axes: 1 }) },
  { name: 'any', dtypes: 'f32 i32 u32 bool', gradient: 'none', tolerance: 'copy', tfjs: 'any', jax: 'any', sample: (x) => ops.any(x, { axes: 1 }) },
  { name: 'all', dtypes: 'f32 i32 u32 bool', gradient: 'none', tolerance: 'copy', tfjs: 'all', jax: 'all', sample: (x) => ops.all(x, { axes: 1 }) },
  { name: 'argmax', dtypes: 'f32 i32 u32', gradient: 'none', tolerance: 'copy', tfjs: 'argMax', jax: 'argmax', sample: (x) => ops.argmax(x) },
  { name: 'argmin', dtypes: 'f32 i32 u32', gradient: 'none', tolerance: 'copy', tfjs: 'argMin', jax: 'argmin', sample: (x) => ops.argmin(x) },
  { name: 'variance', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: 'moments', jax: 'var_', sample: (x) => ops.variance(x, { axes: 1 }) },
  { name: 'std', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: '', jax: 'std', sample: (x) => ops.std(x, { axes: 1 }) },
  { name: 'norm', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: 'norm', jax: '', sample: (x) => ops.norm(x, { axes: 1 }) },
  { name: 'logsumexp', dtypes: 'f32', gradient: 'any', tolerance: 'softmax', tfjs: 'logSumExp', jax: 'logsumexp', sample: (x) => ops.logsumexp(x, { axes: 1 }) },
  { name: 'cumsum', dtypes: 'f32 i32 u32', gradient: 'any', tolerance: 'sum', tfjs: 'cumsum', jax: 'cumsum', sample: (x) => ops.cumsum(x) },
  { name: 'sort', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: '', jax: 'sort', sample: (x) => ops.sort(x).values },
  { name: 'argsort', dtypes: 'f32 i32 u32 bool', gradient: 'none', tolerance: 'copy', tfjs: '', jax: 'argsort', sample: (x) => ops.argsort(x) },
  { name: 'topk', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: 'topk', jax: 'topK', sample: (x) => ops.topk(x, { k: 3 }).values },
  { name: 'histogram', dtypes: 'f32', gradient: 'none', tolerance: 'copy', tfjs: '', jax: '', sample: (x) => ops.histogram(x, { bins: 4, low: 0, high: 1 }) },
  { name: 'bincount', dtypes: 'i32 u32', gradient: 'none', tolerance: 'copy', tfjs: 'bincount', jax: '', sample: (x) => ops.bincount(x, { classes: 8 }) },
  { name: 'matmul', dtypes: 'f32', gradient: 'any', tolerance: 'matrix product', tfjs: 'matMul', jax: 'matmul', sample: (x) => ops.matmul(x, x, { transposeB: true }) },
  { name: 'linear', dtypes: 'f32', gradient: 'any', tolerance: 'matrix product', tfjs: '', jax: '', sample: (x) => ops.linear(x, x) },
  { name: 'outer', dtypes: 'f32', gradient: 'any', tolerance: 'matrix product', tfjs: 'outerProduct', jax: 'outer', sample: (x) => ops.outer(row(x), row(x)) },
  { name: 'dot', dtypes: 'f32', gradient: 'any', tolerance: 'matrix product', tfjs: 'dot', jax: 'dot', sample: (x) => ops.dot(row(x), row(x)) },
  { name: 'conv2d', dtypes: 'f32', gradient: 'any', tolerance: 'matrix product', tfjs: 'conv2d', jax: 'conv', sample: (x) => ops.conv2d(image(x), image(x), null, { padding: 1 }) },
  { name: 'conv1d', dtypes: 'f32', gradient: 'any', tolerance: 'matrix product', tfjs: 'conv1d', jax: 'conv', sample: (x) => ops.conv1d(ops.reshape(x, [1, 4, 6]), ops.reshape(x, [2, 4, 3])) },
  { name: 'convTranspose2d', dtypes: 'f32', gradient: 'any', tolerance: 'matrix product', tfjs: 'conv2dTranspose', jax: 'convTranspose', sample: (x) => ops.convTranspose2d(image(x), ops.reshape(x, [2, 3, 2, 2])) },
  { name: 'lpDistance', dtypes: 'f32', gradient: 1, tolerance: 'distance', tfjs: '', jax: '', sample: (x) => ops.lpDistance(x, x, null, { p: 8 }) },
  { name: 'lpDistance2d', dtypes: 'f32', gradient: 1, tolerance: 'distance', tfjs: '', jax: '', sample: (x) => ops.lpDistance2d(image(x), image(x), null, { p: 8, padding: 1 }) },
  { name: 'meanShift', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: '', jax: '', sample: (x) => ops.meanShift(x, zeros([6]), { training: true }) },
  { name: 'unfold', dtypes: 'f32', gradient: 'any', tolerance: 'copy', tfjs: '', jax: '', sample: (x) => ops.unfold(image(x), 2) },
  { name: 'fold', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: '', jax: '', sample: (x) => ops.fold(ops.reshape(x, [1, 4, 6]), [3, 4], 2) },
  { name: 'maxPool2d', dtypes: 'f32', gradient: 'any', tolerance: 'copy', tfjs: 'maxPool', jax: 'reduceWindow', sample: (x) => ops.maxPool2d(image(x), 2) },
  { name: 'avgPool2d', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: 'avgPool', jax: 'reduceWindow', sample: (x) => ops.avgPool2d(image(x), 2) },
  { name: 'adaptiveAvgPool2d', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: '', jax: '', sample: (x) => ops.adaptiveAvgPool2d(image(x), 2) },
  { name: 'adaptiveMaxPool2d', dtypes: 'f32', gradient: 'any', tolerance: 'copy', tfjs: '', jax: '', sample: (x) => ops.adaptiveMaxPool2d(image(x), 2) },
  { name: 'globalAvgPool2d', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: 'mean', jax: 'mean', sample: (x) => ops.globalAvgPool2d(image(x)) },
  { name: 'globalMaxPool2d', dtypes: 'f32', gradient: 'any', tolerance: 'copy', tfjs: 'max', jax: 'max', sample: (x) => ops.globalMaxPool2d(image(x)) },
  { name: 'pad', dtypes: 'f32', gradient: 'any', tolerance: 'copy', tfjs: 'pad', jax: 'pad', sample: (x) => ops.pad(image(x), [1, 1]) },
  { name: 'upsampleNearest', dtypes: 'f32', gradient: 'any', tolerance: 'copy', tfjs: 'image.resizeNearestNeighbor', jax: '', sample: (x) => ops.upsampleNearest(image(x), { scale: 2 }) },
  { name: 'softmax', dtypes: 'f32', gradient: 'any', tolerance: 'softmax', tfjs: 'softmax', jax: 'softmax', sample: (x) => ops.softmax(x) },
  { name: 'logSoftmax', dtypes: 'f32', gradient: 'any', tolerance: 'softmax', tfjs: 'logSoftmax', jax: 'logSoftmax', sample: (x) => ops.logSoftmax(x) },
  { name: 'crossEntropy', dtypes: 'f32', gradient: 'any', tolerance: 'softmax', tfjs: 'losses.softmaxCrossEntropy', jax: '', sample: (x) => ops.crossEntropy(x, [0, 1, 2, 3]) },
  { name: 'probabilityLoss', dtypes: 'f32', gradient: 'any', tolerance: 'softmax', tfjs: '', jax: '', sample: (x) => ops.probabilityLoss(x, tensor([0, 1, 2, 3], { dtype: 'i32' }), 'power', [0.7]) },
  { name: 'softCrossEntropy', dtypes: 'f32', gradient: 'any', tolerance: 'softmax', tfjs: 'losses.softmaxCrossEntropy', jax: '', sample: (x) => ops.softCrossEntropy(x, zeros([4, 6])) },
  { name: 'nllLoss', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: '', jax: '', sample: (x) => ops.nllLoss(x, [0, 1, 2, 3]) },
  { name: 'binaryCrossEntropyWithLogits', dtypes: 'f32', gradient: 'any', tolerance: 'softmax', tfjs: 'losses.sigmoidCrossEntropy', jax: '', sample: (x) => ops.binaryCrossEntropyWithLogits(x, zeros([4, 6])) },
  { name: 'klDiv', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: '', jax: '', sample: (x) => ops.klDiv(x, x) },
  { name: 'mseLoss', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: 'losses.meanSquaredError', jax: '', sample: (x) => ops.mseLoss(x, zeros([4, 6])) },
  { name: 'smoothL1Loss', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: 'losses.huberLoss', jax: '', sample: (x) => ops.smoothL1Loss(x, zeros([4, 6])) },
  { name: 'batchNorm', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: 'batchNorm', jax: '', sample: (x) => ops.batchNorm(x, null, null, { training: true }) },
  { name: 'layerNorm', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: '', jax: 'standardize', sample: (x) => ops.layerNorm(x) },
  { name: 'groupNorm', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: '', jax: '', sample: (x) => ops.groupNorm(x, 2) },
  { name: 'instanceNorm', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: '', jax: '', sample: (x) => ops.instanceNorm(image(x)) },
  { name: 'normalize', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: '', jax: '', sample: (x) => ops.normalize(x) },
  { name: 'dropout', dtypes: 'f32', gradient: 'any', tolerance: 'copy', tfjs: 'dropout', jax: '', sample: (x) => ops.dropout(x, { key: key(1), first: zeros([2], { dtype: 'u32' }) }) },
  { name: 'embedding', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: '', jax: '', sample: (x) => ops.embedding(x, [1, 0, 1]) },
  { name: 'gather', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: '', jax: 'takeAlongAxis', sample: (x) => ops.gather(x, column()) },
  { name: 'indexSelect', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: 'gather', jax: 'take', sample: (x) => ops.indexSelect(x, [1, 0, 1]) },
  { name: 'scatterAdd', dtypes: 'f32', gradient: 'any', tolerance: 'sum', tfjs: '', jax: '', sample: (x) => ops.scatterAdd(x, column(), x) },
  { name: 'oneHot', dtypes: 'i32 u32', gradient: 'none', tolerance: 'copy', tfjs: 'oneHot', jax: 'oneHot', sample: (x) => ops.oneHot(x, 8) },
  { name: 'concat', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: 'concat', jax: 'concatenate', sample: (x) => ops.concat([x, x]) },
  { name: 'stack', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: 'stack', jax: 'stack', sample: (x) => ops.stack([x, x]) },
  { name: 'split', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: 'split', jax: 'split', sample: (x) => ops.split(x, 2)[0]! },
  { name: 'chunk', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: '', jax: '', sample: (x) => ops.chunk(x, 2)[0]! },
  { name: 'slice', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: 'slice', jax: 'Array.slice', sample: (x) => ops.slice(x, { start: [1], step: [2] }) },
  { name: 'flip', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: 'reverse', jax: 'flip', sample: (x) => ops.flip(x) },
  { name: 'tile', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: 'tile', jax: 'tile', sample: (x) => ops.tile(x, [2, 1]) },
  { name: 'repeatInterleave', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: '', jax: 'repeat', sample: (x) => ops.repeatInterleave(x, 2) },
  { name: 'tril', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: 'linalg.bandPart', jax: 'tril', sample: (x) => ops.tril(x) },
  { name: 'triu', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: 'linalg.bandPart', jax: 'triu', sample: (x) => ops.triu(x) },
  { name: 'expand', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: 'broadcastTo', jax: 'broadcastTo', sample: (x) => ops.expand(x, [2, 4, 6]) },
  { name: 'permute', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: 'transpose', jax: 'transpose', sample: (x) => ops.permute(x, [1, 0]) },
  { name: 'transpose', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: 'transpose', jax: 'transpose', sample: (x) => ops.transpose(x) },
  { name: 'swapaxes', dtypes: 'f32 i32 u32 bool', gradient: 'any', tolerance: 'copy', tfjs: 'transpose', jax: 'swapaxes', sample: (x) => ops.swapaxes(x, 0, 1) },
  { name: 'reshape', dtypes: 'f32 i32 u32 bool f16', gradient: 'any', tolerance: 'copy', tfjs: 'reshape', jax: 'reshape', sample: (x) => ops.reshape(x, [-1]) },
  { name: 'flatten', dtypes: 'f32 i32 u32 bool f16', gradient: 'any', tolerance: 'copy', tfjs: 'reshape', jax: 'ravel', sample: (x) => ops.flatten(x) },
  { name: 'squeeze', dtypes: 'f32 i32 u32 bool f16', gradient: 'any', tolerance: 'copy', tfjs: 'squeeze', jax: 'squeeze', sample: (x) => ops.squeeze(ops.reshape(x, [4, 1, 6])) },
  { name: 'unsqueeze', dtypes: 'f32 i32 u32 bool f16', gradient: 'any', tolerance: 'copy', tfjs: 'expandDims', jax: 'expandDims', sample: (x) => ops.unsqueeze(x, 0) },
];
