import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { PAGE_BUNDLE } from '../support/page-bundle.ts';

/** Programs of growing reach, each with what the one before it has. */
const programs: readonly (readonly [name: string, code: string])[] = [
  ['init', "import { init } from 'evenkeel'; await init();"],
  [
    'one op',
    "import { init, tensor } from 'evenkeel'; import { add } from 'evenkeel/ops'; await init(); " +
      'console.log(await add(tensor([1]), 1).read());',
  ],
  [
    'methods',
    "import { init, tensor } from 'evenkeel'; import 'evenkeel/methods'; await init(); " +
      'console.log(await tensor([1]).add(1).read());',
  ],
  [
    'model',
    "import { init, tensor } from 'evenkeel'; import { Linear, ReLU, Sequential } from 'evenkeel/nn'; await " +
      'init(); console.log(await Sequential(Linear(2, 2), ReLU()).init().logits(globalThis.x));',
  ],
  [
    'training',
    "import { init } from 'evenkeel'; import { makeDataset } from 'evenkeel/data'; import { crossEntropyLoss } " +
      "from 'evenkeel/losses'; import { Linear, ReLU, Sequential } from 'evenkeel/nn'; " +
      "import { sgd } from 'evenkeel/optim'; import { fit } from 'evenkeel/train'; await init(); " +
      'await fit(Sequential(Linear(2, 2), ReLU()), makeDataset(globalThis.x, globalThis.y, { numClasses: 2 ' +
      '}), { loss: crossEntropyLoss(), optimizer: sgd({ lr: 0.1 }), epochs: 1 });',
  ],
];

/** Bytes of the package in a page's bundle, minified and gzipped: the programs above, `readme` and all entries. */
export async function packageSizes(
  project: string,
  readme: string,
  entries: readonly string[],
): Promise<Record<string, number>> {
  const all = entries.map((entry, i) => `export * as e${i} from '${entry}';`).join('\n');
  const sizes: Record<string, number> = {};
  for (const [name, contents] of [...programs, ['program', readme], ['all', all]] as const) {
    const { outputFiles } = await build({
      ...PAGE_BUNDLE,
      absWorkingDir: project,
      stdin: { contents, resolveDir: project },
    });
    sizes[name] = gzipSync(outputFiles![0]!.contents, { level: 9 }).length;
  }
  return sizes;
}
