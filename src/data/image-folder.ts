import { any, boolean, callable, checkOptions, integer, listOf, oneOf, required } from '../check/check.ts';
import { quote } from '../io/format-error.ts';
import { NdArray } from '../tensor/ndarray.ts';
import type { NamedDataset } from './csv-dataset.ts';
import { makeDataset } from './dataset.ts';
import { nodeModule, type NodeModules } from './node.ts';
import { pictureOf } from './picture.ts';
import { bytesOf, pathOf, type Source } from './source.ts';

/** A picture as RGBA bytes, row-major. */
export interface Pixels {
  width: number;
  height: number;
  /** 4 x width x height. */
  data: ArrayLike<number>;
}

/** Options of {@link loadImageFolder}. */
export interface LoadImageFolderOptions {
  /** Height and width of every image: pictures are scaled to it. */
  size: readonly [height: number, width: number];
  /** 3: red, green, blue; 1: luma (ITU-R 601). Default: 3. */
  channels?: 1 | 3;
  /**
   * Decodes and scales a picture. Default: PNG everywhere, other formats by the browser; Node needs a decoder for
   * those.
   */
  decode?: (bytes: Uint8Array<ArrayBuffer>, size: readonly [height: number, width: number]) => Promise<Pixels>;
  /** Whether photographs are turned as their EXIF orientation says. Default: false, as torchvision. */
  rotate?: boolean;
  name?: string;
  signal?: AbortSignal;
}

const RULES = {
  size: required(listOf(integer(1), 2, 'height and width')),
  channels: oneOf(1, 3),
  decode: callable,
  rotate: boolean,
  name: any,
  signal: any,
} as const;

/** Endings of the files that a folder is searched for, as torchvision's ImageFolder. */
const PICTURES = /\.(jpe?g|png|ppm|bmp|pgm|tiff?|webp)$/i;

/**
 * Pictures in one folder for each class, as torchvision's ImageFolder with Resize: the class of a file is the name of
 * the folder it lies in, classes and files are taken in the order of their paths. `files` maps paths (`cat/1.png`) to
 * files: for a chosen folder of a page, `[...input.files].map((f) => [f.webkitRelativePath, f])`; in Node it may be the
 * path or `file:` URL of the folder. x: (n, channels, height, width) in [0, 1]. The pixels are those of Pillow's
 * convert('RGB'): colours of transparent pixels, stored values without gamma or profile, no rotation unless `rotate`;
 * scaled as by Pillow's resize with BILINEAR. Rejects with Error, naming the path, on a file outside a folder, one that
 * does not decode, or a decoder that gives another size; with TypeError where there is no decoder.
 */
export async function loadImageFolder(
  files: string | URL | Iterable<readonly [path: string, file: Source]>,
  options: LoadImageFolderOptions,
): Promise<NamedDataset> {
  checkOptions('loadImageFolder', options, RULES);
  const { size, channels = 3, decode, rotate = false, name, signal } = options;
  const [height, width] = size;
  if (decode && rotate)
    throw new RangeError(
      'loadImageFolder: rotate and decode are both given, expected one of them: your decoder turns the pictures',
    );
  const sorted = [...(typeof files === 'string' || files instanceof URL ? await filesOf(files) : files)].sort(
    ([a], [b]) => (a < b ? -1 : a > b ? 1 : 0),
  );
  if (sorted.length === 0) throw new RangeError('loadImageFolder: no files, expected at least one');
  const folders = sorted.map(([path]) => {
    const parts = path.split('/').filter(Boolean);
    if (parts.length < 2) throw new Error(`loadImageFolder: ${path} lies in no folder, expected class/file`);
    return parts.at(-2)!;
  });
  const classNames = [...new Set(folders)].sort();
  const area = height * width;
  const values = new Float32Array(sorted.length * channels * area);
  for (const [n, [path, file]] of sorted.entries()) {
    const bytes = await bytesOf(file, `loadImageFolder: ${path}`, signal);
    const {
      width: w,
      height: h,
      data,
    } = await (decode ? decode(bytes, size) : pictureOf(bytes, size, rotate)).catch((cause: unknown) => {
      if (cause instanceof TypeError && !decode) throw cause;
      throw new Error(
        `loadImageFolder: ${path} does not decode: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
    });
    const step = decode ? 4 : 3;
    if (w !== width || h !== height || data.length !== step * area)
      throw new Error(
        `loadImageFolder: ${path} came as ${h} x ${w} with ${data.length} bytes, expected ${height} x ${width} RGBA`,
      );
    const at = n * channels * area;
    for (let i = 0; i < area; i++) {
      const [r, g, b] = [data[step * i]! / 255, data[step * i + 1]! / 255, data[step * i + 2]! / 255];
      if (channels === 1) values[at + i] = 0.299 * r + 0.587 * g + 0.114 * b;
      else for (const [c, v] of [r, g, b].entries()) values[at + c * area + i] = v;
    }
  }
  const data = makeDataset(
    new NdArray(values, [sorted.length, channels, height, width]),
    folders.map((f) => classNames.indexOf(f)),
    { numClasses: classNames.length, ...(name !== undefined && { name }) },
  );
  return { ...data, classNames };
}

/** The pictures below a folder by their paths in it. Throws Error when it cannot be read. */
async function filesOf(folder: string | URL): Promise<[path: string, file: string][]> {
  const at = pathOf(folder);
  if (at === null)
    throw new TypeError(
      `loadImageFolder: files is ${quote(String(folder), 200)}, expected [path, file] pairs, or in Node the ` +
        'path of a folder',
    );
  const [fs, path, url] = (['node:fs', 'node:path', 'node:url'] as const).map((module) =>
    nodeModule(module, 'loadImageFolder: files is a path'),
  ) as [NodeModules['node:fs'], NodeModules['node:path'], NodeModules['node:url']];
  const root = at instanceof URL ? url.fileURLToPath(at) : at;
  const entries = await fs.promises
    .readdir(root, { recursive: true, withFileTypes: true })
    .catch((cause: Error & { code?: string }) => {
      throw new Error(
        `loadImageFolder: cannot read folder ${quote(root, 200)}: ` +
          `${cause.code === 'ENOENT' ? 'there is no such folder' : cause.message}`,
        { cause },
      );
    });
  return entries.flatMap((entry) => {
    if (!entry.isFile() || !PICTURES.test(entry.name)) return [];
    const file = path.join((entry.parentPath ?? entry.path)!, entry.name);
    return [[path.relative(root, file).split(path.sep).join('/'), file]];
  });
}
