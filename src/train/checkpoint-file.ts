import type { Dataset } from '../data/dataset.ts';
import { crc32 } from '../io/crc32.ts';
import { decodeSafetensors, encodeSafetensors, FormatError, type SafetensorsInput } from '../io/index.ts';
import { walkLayers } from '../nn/layer.ts';
import type { Sequential } from '../nn/sequential.ts';
import type { FitOptions } from './fit-options.ts';
import type { History } from './history.ts';

/** What a checkpoint holds. */
export interface CheckpointParts {
  /** What the run was of, in words, by name. */
  settings: Readonly<Record<string, string>>;
  /** Epochs done, steps done in the one at hand, and whether it had begun. */
  at: { epoch: number; within: number; isOpen: boolean };
  /** Of the last step. */
  lr: number;
  /** Sum of the losses of the epoch so far. */
  epochLoss: number;
  history: History;
  /** Files of the weights, of the state of the optimiser, and of that of the average. */
  model: Uint8Array<ArrayBuffer>;
  optimizer: Uint8Array<ArrayBuffer>;
  average: Uint8Array<ArrayBuffer> | null;
  /** Of the epoch at hand, where it had begun. */
  order: Uint32Array<ArrayBuffer> | null;
  /** Of the loss, the sampler, the probe and hooks, in the order in which they are called. */
  states: { name: string; state: unknown }[];
}

const FORMAT = 'evenkeel checkpoint 1';
/** Values of the inputs that enter the checksum of a data set, spread over all of them. */
const SAMPLED = 2 ** 16;

/** What a run must share with the one that a checkpoint is of, in words. */
export function settingsOf(
  model: Sequential,
  data: Dataset,
  { batchSize = 128, accumulate = 1, dropLast = false, inputNoise = 0, seed = 0, ...options }: FitOptions,
): Record<string, string> {
  return {
    model: `${Array.from(walkLayers(model), ([, { kind }]) => kind)} with ${model.parameterCount} trained values`,
    'data set':
      `${data.y.length} samples of shape [${data.x.shape.slice(1)}] in ${data.numClasses} classes, ` +
      `checksum ${checksumOf(data)}`,
    seed: String(seed),
    batchSize: String(batchSize),
    accumulate: String(accumulate),
    dropLast: String(dropLast),
    inputNoise: String(inputNoise),
    optimizer: options.optimizer.name,
    precision: options.precision ?? 'f32',
    weightAverage: options.weightAverage?.name ?? 'none',
    augmentation: options.augment ? 'given' : 'none',
    sampler: options.sampler ? 'given' : 'none',
    objective: options.objective ? 'given' : 'none',
  };
}

/** Of all labels and a part of the inputs. */
function checksumOf({ x, y }: Dataset): string {
  const stride = Math.max(1, Math.floor(x.data.length / SAMPLED));
  const some = Float32Array.from({ length: Math.ceil(x.data.length / stride) }, (_, i) => x.data[i * stride]!);
  return [some, y].map((values) => crc32(bytesOf(values)).toString(16).padStart(8, '0')).join('');
}

/** Throws a RangeError, naming it, where a checkpoint is of a run of something else. */
export function expectSettings(
  { settings, at }: CheckpointParts,
  { model, data, options }: { model: Sequential; data: Dataset; options: FitOptions },
): void {
  for (const [name, now] of Object.entries(settingsOf(model, data, options)))
    if (settings[name] !== now)
      throw new RangeError(`fit: the checkpoint is of another ${name}: ${settings[name]}, expected ${now}`);
  if (at.epoch > options.epochs)
    throw new RangeError(`fit: the checkpoint is of epoch ${at.epoch}, expected epochs of at least that`);
}

/** A checkpoint as a safetensors file: its parts are tensors, all else is JSON in the metadata, with checksums. */
export function encodeCheckpoint(parts: CheckpointParts): Uint8Array<ArrayBuffer> {
  const { model, optimizer, average, order, ...rest } = parts;
  const tensors = new Map<string, SafetensorsInput>();
  const put = (name: string, data: Typed): void => void tensors.set(name, tensorOf(name, data));
  put('model', model);
  put('optimizer', optimizer);
  if (average) put('average', average);
  if (order) put('order', order);
  const run = JSON.stringify(rest, function (this: Record<string, unknown>, key, json: unknown) {
    // What JSON would make of it by toJSON, or lose.
    const value = this[key];
    if (ArrayBuffer.isView(value)) {
      const name = `state.${tensors.size}`;
      put(name, value as Typed);
      return { [TENSOR]: name };
    }
    return typeof json === 'number' && (!Number.isFinite(json) || Object.is(json, -0))
      ? { [NUMBER]: numberText(json) }
      : json;
  });
  const sums = Object.fromEntries([...tensors].map(([name, { data }]) => [name, crc32(bytesOf(data))]));
  const checksums = JSON.stringify({ ...sums, run: crc32(new TextEncoder().encode(run)) });
  return encodeSafetensors(tensors, { format: FORMAT, run, checksums });
}

/** Stands for a typed array, and for a number that JSON has not. */
const [TENSOR, NUMBER] = ['$tensor', '$number'];

const numberText = (v: number): string => (Object.is(v, -0) ? '-0' : String(v));

/** The parts of a checkpoint. Throws FormatError where the file is cut, damaged, or of another kind. */
export function decodeCheckpoint(bytes: Uint8Array): CheckpointParts {
  if (!(bytes instanceof Uint8Array))
    throw new TypeError(`fit: resume is ${String(bytes)}, expected the bytes of a checkpoint, a Uint8Array`);
  let file: ReturnType<typeof decodeSafetensors>;
  try {
    file = decodeSafetensors(bytes);
  } catch (cause) {
    throw new FormatError(`fit: the checkpoint is cut or damaged: ${(cause as Error).message}`, { cause });
  }
  const { tensors, metadata } = file;
  if (metadata.get('format') !== FORMAT)
    throw new FormatError(`fit: resume has the format '${metadata.get('format')}', expected '${FORMAT}'`);
  const run = metadata.get('run') ?? '';
  const sums = new Map<string, number>();
  for (const [name, { data }] of tensors) sums.set(name, crc32(bytesOf(data)));
  sums.set('run', crc32(new TextEncoder().encode(run)));
  let saved: [string, number][];
  try {
    saved = Object.entries(JSON.parse(metadata.get('checksums') ?? '') as Record<string, number>);
  } catch (cause) {
    throw new FormatError('fit: the checkpoint is damaged: its checksums are no JSON', { cause });
  }
  const bad = saved.find(([name, sum]) => sums.get(name) !== sum);
  if (bad || saved.length !== sums.size)
    throw new FormatError(`fit: the checkpoint is damaged: ${bad?.[0] ?? 'a part'} has another checksum`);
  const rest = JSON.parse(run, (_, value: unknown) => {
    const { [TENSOR]: name, [NUMBER]: number } = (value ?? {}) as Record<string, string>;
    return name !== undefined ? tensors.get(name)!.data : number !== undefined ? Number(number) : value;
  }) as Omit<CheckpointParts, 'model' | 'optimizer' | 'average' | 'order'>;
  const part = (name: string): Uint8Array<ArrayBuffer> => tensors.get(name)?.data as Uint8Array<ArrayBuffer>;
  return {
    ...rest,
    model: part('model'),
    optimizer: part('optimizer'),
    average: part('average') ?? null,
    order: (tensors.get('order')?.data as Uint32Array<ArrayBuffer> | undefined) ?? null,
  };
}

type Typed = SafetensorsInput['data'];

const bytesOf = (v: ArrayBufferView): Uint8Array => new Uint8Array(v.buffer, v.byteOffset, v.byteLength);

/** Element types of typed arrays. */
const TYPES = {
  Uint8Array: 'U8',
  Int8Array: 'I8',
  Uint16Array: 'U16',
  Int16Array: 'I16',
  Uint32Array: 'U32',
  Int32Array: 'I32',
  Float32Array: 'F32',
  Float64Array: 'F64',
  BigInt64Array: 'I64',
  BigUint64Array: 'U64',
} as const;

function tensorOf(name: string, data: Typed): SafetensorsInput {
  const dtype = TYPES[data.constructor.name as keyof typeof TYPES];
  if (!dtype)
    throw new TypeError(`run.save: ${name} is a ${data.constructor.name}, expected an array type of safetensors`);
  return { dtype, shape: [data.length], data };
}
