import { readdirSync, readFileSync, existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import * as prettier from 'prettier';
import { describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');

function files(folder: string, ending: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((d) => d.isFile() && ending.test(d.name) && !d.name.includes('.d.'))
    .map((d) => relative(root, join(d.parentPath, d.name)));
}

const FORMAT = JSON.parse(readFileSync(join(root, '.prettierrc.json'), 'utf8')) as prettier.Options;
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const sources = files('src', /\.(ts|mjs)$/);
const shaders = files('shaders', /\.wgsl$/);

/** Relative imports of a file, resolved to paths from the root; bare specifiers as they are. */
function imports(file: string): string[] {
  return [
    ...read(file).matchAll(
      /(?:^|\n)(?:import|export)\b[^;'"]*?from\s+'([^']+)'|import\('([^']+)'\)|(?:^|\n)import '([^']+)'/g,
    ),
  ]
    .map((m) => (m[1] ?? m[2] ?? m[3])!)
    .map((path) => (path.startsWith('.') ? relative(root, resolve(root, dirname(file), path)) : path));
}

/** Layer of a file; an import may point to a lower layer, or stay in its folder. */
function layer(file: string): number {
  if (/^src\/check\//.test(file)) return -1;
  if (/^src\/(stats|io)\/|^src\/tensor\/(shape|dtype|ndarray)\.ts$/.test(file)) return 0;
  const folder = file.split('/')[1]!;
  const layers: Record<string, number> = {
    gpu: 1,
    tensor: 2,
    ops: 3,
    random: 3,
    methods: 4,
    nn: 4,
    losses: 4,
    optim: 4,
    metrics: 4,
    data: 5,
    calibrate: 5,
    attack: 5,
    certify: 5,
    train: 6,
    'index.ts': 6,
    'index.node.ts': 6,
    cli: 7,
    build: 7,
  };
  if (!(folder in layers)) throw new Error(`${file}: no layer for ${folder}`);
  return layers[folder]!;
}

/** Imports between folders of one layer that are meant, with the reason. */
const SIDEWAYS = new Set([
  'src/optim -> src/losses/class-weights.ts', // DRW weights classes by the rule of the re-weighted losses
  'src/calibrate -> src/data/dataset.ts', // calibrators are fitted on datasets
]);

describe('layers', () => {
  test.each(sources.filter((f) => layer(f) < 7))('%s imports downwards', (file) => {
    for (const target of imports(file)) {
      if (target.startsWith('shaders/')) {
        expect(layer(file), `${file} imports ${target}`).toBeGreaterThanOrEqual(2);
        continue;
      }
      expect(target.startsWith('src/'), `${file} imports the package ${target}`).toBe(true);
      if (dirname(target) === dirname(file) || SIDEWAYS.has(`${dirname(file)} -> ${target}`)) continue;
      expect(layer(target), `${file} imports ${target}`).toBeLessThan(layer(file));
    }
  });

  test.each(sources.filter((f) => /^src\/cli\/.*\.ts$/.test(f)))('%s uses public entries only', (file) => {
    for (const target of imports(file)) {
      if (target.startsWith('src/')) expect(target.startsWith('src/cli/'), `${file} imports ${target}`).toBe(true);
    }
  });

  test('folders do not import each other in a circle', () => {
    const graph = new Map<string, Set<string>>();
    for (const file of sources) {
      const from = dirname(file);
      if (layer(file) === 7) continue;
      for (const target of imports(file)) {
        // The pure files of `tensor` are a layer of their own.
        if (!target.startsWith('src/') || layer(target) === 0 || dirname(target) === from) continue;
        graph.set(from, (graph.get(from) ?? new Set()).add(dirname(target)));
      }
    }
    const state = new Map<string, 'open' | 'done'>();
    const visit = (folder: string, path: string[]): void => {
      expect(state.get(folder), `circle: ${[...path, folder].join(' -> ')}`).not.toBe('open');
      if (state.get(folder) === 'done') return;
      state.set(folder, 'open');
      for (const next of graph.get(folder) ?? []) visit(next, [...path, folder]);
      state.set(folder, 'done');
    };
    for (const folder of graph.keys()) visit(folder, []);
  });
});

describe('places', () => {
  test('WebGPU is named nowhere outside src/gpu', () => {
    const named =
      /\bGPU(Device|Adapter|Buffer|Queue|Compute|Bind|Shader|Command|Texture|Map|Error|Uncaptured)\w*\b|navigator(\?)?\.gpu/;
    for (const file of sources) {
      if (file.startsWith('src/gpu/') || file.startsWith('src/cli/')) continue;
      expect(read(file).match(named)?.[0], file).toBeUndefined();
    }
  });

  test('Symbol.dispose, which some browsers lack, is named in one file', () => {
    for (const file of sources)
      if (file !== 'src/gpu/dispose.ts')
        expect(read(file).match(/Symbol\.(dispose|asyncDispose)/)?.[0], file).toBeUndefined();
  });

  test('an op is a shader, a source file, a reference and a test of one stem', () => {
    const stems = sources
      .filter((f) => /^src\/ops\/[^/]+\.ts$/.test(f) && imports(f).some((i) => i.startsWith('shaders/')))
      .map((f) => f.slice('src/ops/'.length, -3));
    expect(stems.length).toBeGreaterThan(10);
    for (const stem of stems) {
      for (const file of [`shaders/${stem}.wgsl`, `test/reference/${stem}.ts`, `test/ops/${stem}.gpu.test.ts`]) {
        expect(existsSync(join(root, file)), file).toBe(true);
      }
    }
  });

  test('every shader is used by one source file of its name', () => {
    for (const shader of shaders.filter((f) => !f.startsWith('shaders/lib/'))) {
      const users = sources.filter((f) => imports(f).includes(shader));
      expect(
        users.map((f) => f.split('/').at(-1)),
        shader,
      ).toEqual([shader.split('/').at(-1)!.replace('.wgsl', '.ts')]);
    }
  });

  test('lib holds functions and constants, no bindings and no entry points', () => {
    for (const file of shaders.filter((f) => f.startsWith('shaders/lib/'))) {
      expect(read(file), file).not.toMatch(/@(group|binding|compute)/);
    }
  });

  test('an index re-exports and does nothing else', () => {
    for (const file of sources.filter((f) => /(^|\/)index\.ts$/.test(f) && layer(f) < 7)) {
      const rest = read(file)
        .replace(/\/\*\*[\s\S]*?\*\//g, '')
        .replace(/export (type )?(\*|\{[^}]*\})( as \w+)? from '[^']+';/g, '')
        .trim();
      expect(rest, file).toBe('');
    }
  });
});

describe('size and manners', () => {
  test('every file is as the formatter writes it; `npm run format` does so', async () => {
    const bad: string[] = [];
    for (const file of [...sources, ...files('test', /\.(ts|mts|mjs)$/), ...files('examples', /\.(ts|js)$/)]) {
      if (file.includes('node_modules')) continue;
      if (!(await prettier.check(read(file), { ...FORMAT, filepath: file }))) bad.push(file);
    }
    expect(bad).toEqual([]);
  }, 120_000);

  test('no line of source is wider than 120 characters', () => {
    const wide: string[] = [];
    for (const file of [...sources, ...shaders]) {
      read(file)
        .split('\n')
        .forEach((line, i) => line.length > 120 && wide.push(`${file}:${i + 1}`));
    }
    expect(wide).toEqual([]);
  });

  test.each(shaders)('%s opens with a comment', (file) => {
    expect(read(file).startsWith('//')).toBe(true);
  });

  test('every export has a doc comment', () => {
    const bare: string[] = [];
    for (const file of sources.filter((f) => f.endsWith('.ts') && !f.endsWith('index.ts'))) {
      const lines = read(file).split('\n');
      lines.forEach((line, i) => {
        if (!/^export (async )?(function|const|class|interface|type|abstract)/.test(line)) return;
        let above = i - 1;
        while (/^\s*(@|\/\/ deno-lint)/.test(lines[above] ?? '')) above--;
        if (!/\*\/\s*$/.test(lines[above] ?? '')) bare.push(`${file}:${i + 1}`);
      });
    }
    expect(bare).toEqual([]);
  });

  test('no code from text, no markup from text, no printing in the library', () => {
    for (const file of sources) {
      expect(read(file), file).not.toMatch(/\beval\(|new Function\(|\.innerHTML/);
      if (layer(file) < 7) expect(read(file), file).not.toMatch(/\bconsole\./);
    }
  });

  test('no run-time dependency, and a lockfile without hosts', () => {
    const manifest = JSON.parse(read('package.json')) as Record<string, unknown>;
    expect(manifest.dependencies ?? {}).toEqual({});
    expect(read('package-lock.json')).not.toMatch(/"resolved"/);
  });

  test('every public entry of package.json has its source', () => {
    const { exports } = JSON.parse(read('package.json')) as { exports: Record<string, string | { default: string }> };
    for (const [entry, target] of Object.entries(exports)) {
      if (typeof target === 'string') continue;
      const source = target.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts');
      expect(existsSync(join(root, source)), `${entry} -> ${source}`).toBe(true);
    }
  });

  test('the top level stays', () => {
    const allowed =
      /^(\..*|package(-lock)?\.json|tsconfig\.json|src|shaders|test|examples|docs|README\.md|LICENSE|node_modules|dist|runs)$/;
    for (const name of readdirSync(root)) expect(name).toMatch(allowed);
  });
});
