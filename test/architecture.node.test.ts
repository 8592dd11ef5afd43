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
const examples = files('examples', /\.(ts|js)$/).filter((file) => !file.includes('node_modules'));

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

/** Layer of a file; an import may point to a lower layer, or stay in its room. */
function layer(file: string): number {
  if (/^src\/check\//.test(file)) return -1;
  if (/^src\/(stats|io)\//.test(file)) return 0;
  if (/^src\/tensor\/(shape|dtype|ndarray)\.ts$/.test(file)) return 0.5;
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
    data: 4,
    objectives: 5,
    calibrate: 5,
    sets: 5,
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

/** The folder right under `src` that a file is in; those inside it are parts of it. */
function room(file: string): string {
  return dirname(file).split('/').slice(0, 2).join('/');
}

/** The first circle of imports among `nodes`: its files in order; null where there is none. */
function circleAmong(nodes: readonly string[], next: (file: string) => readonly string[]): string[] | null {
  const state = new Map<string, 'open' | 'done'>();
  const visit = (file: string, path: readonly string[]): string[] | null => {
    if (state.get(file) === 'done') return null;
    if (state.get(file) === 'open') return [...path.slice(path.indexOf(file)), file];
    state.set(file, 'open');
    for (const target of next(file)) {
      const circle = visit(target, [...path, file]);
      if (circle) return circle;
    }
    state.set(file, 'done');
    return null;
  };
  for (const file of nodes) {
    const circle = visit(file, []);
    if (circle) return circle;
  }
  return null;
}

describe('layers', () => {
  test.each(sources.filter((f) => layer(f) < 7))('%s imports downwards', (file) => {
    for (const target of imports(file)) {
      if (target.startsWith('shaders/')) {
        expect(layer(file), `${file} imports ${target}`).toBeGreaterThanOrEqual(2);
        continue;
      }
      expect(target.startsWith('src/'), `${file} imports the package ${target}`).toBe(true);
      if (room(target) === room(file)) continue;
      expect(layer(target), `${file} imports ${target}`).toBeLessThan(layer(file));
    }
  });

  test.each([...sources.filter((f) => /^src\/cli\/.*\.ts$/.test(f)), ...examples])(
    '%s uses public entries only',
    (file) => {
      const own = dirname(file).replace(/\/lib$/, '');
      for (const target of imports(file)) {
        if (target.startsWith('examples/reproduce/') && own === 'src/cli') continue;
        if (/^(src|test|shaders|examples)\//.test(target))
          expect(target.startsWith(`${own}/`), `${file} imports ${target}`).toBe(true);
      }
    },
  );

  test('folders do not import each other in a circle', () => {
    const graph = new Map<string, string[]>();
    for (const file of sources) {
      const from = room(file);
      if (layer(file) === 7) continue;
      for (const target of imports(file)) {
        // The pure files of `tensor` are a layer of their own.
        if (!target.startsWith('src/') || layer(target) < 1 || room(target) === from) continue;
        graph.set(from, [...(graph.get(from) ?? []), room(target)]);
      }
    }
    expect(circleAmong([...graph.keys()], (folder) => graph.get(folder) ?? [])).toBeNull();
  });

  test('files do not import each other in a circle, not even their types', () => {
    const nodes = [...sources, ...examples];
    const known = new Set(nodes);
    expect(circleAmong(nodes, (file) => imports(file).filter((target) => known.has(target)))).toBeNull();
    // The search finds a circle where there is one.
    expect(circleAmong(['a', 'b', 'c'], (file) => ({ a: ['b'], b: ['c'], c: ['b'] })[file]!)).toEqual(['b', 'c', 'b']);
  });

  test('no variable of a module steers what calls do, but the one cell of ambient state', () => {
    const nodes = sources.filter((file) => layer(file) < 7);
    expect(nodes.filter((file) => /^(export )?(let|var) /m.test(read(file)))).toEqual(['src/gpu/device.ts']);
    expect(nodes.filter((file) => /^(export )?const ambient\b/m.test(read(file)))).toEqual(['src/tensor/ambient.ts']);
  });

  test('launches know nothing of the tape', () => {
    const seen = new Set(sources.filter((file) => file.startsWith('src/ops/launch/')));
    expect(seen.size).toBeGreaterThan(0);
    // A set visits what is added to it meanwhile.
    for (const file of seen) for (const target of imports(file)) if (sources.includes(target)) seen.add(target);
    expect([...seen]).not.toContain('src/tensor/tape.ts');
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

  test('only the tuning of the device knows what kind of adapter it is on', () => {
    for (const file of sources.filter((f) => layer(f) < 7 && !/^src\/gpu\/(adapter\.ts|tuning\/)/.test(f)))
      expect(read(file).match(/adapter\.(kind|quads)/)?.[0], file).toBeUndefined();
  });

  test('Symbol.dispose, which some browsers lack, is named in one file', () => {
    for (const file of sources)
      if (file !== 'src/gpu/dispose.ts')
        expect(read(file).match(/Symbol\.(dispose|asyncDispose)/)?.[0], file).toBeUndefined();
  });

  test('an op is a shader, a source file, a reference and a test of one stem', () => {
    const stems = sources
      .filter((f) => f.startsWith('src/ops/') && imports(f).some((i) => i.startsWith('shaders/')))
      .map((f) => f.split('/').at(-1)!.slice(0, -3));
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

describe('names', () => {
  const entries = {
    '.': () => import('evenkeel'),
    './ops': () => import('evenkeel/ops'),
    './random': () => import('evenkeel/random'),
    './nn': () => import('evenkeel/nn'),
    './losses': () => import('evenkeel/losses'),
    './objectives': () => import('evenkeel/objectives'),
    './optim': () => import('evenkeel/optim'),
    './metrics': () => import('evenkeel/metrics'),
    './data': () => import('evenkeel/data'),
    './calibrate': () => import('evenkeel/calibrate'),
    './sets': () => import('evenkeel/sets'),
    './attack': () => import('evenkeel/attack'),
    './certify': () => import('evenkeel/certify'),
    './train': () => import('evenkeel/train'),
    './stats': () => import('evenkeel/stats'),
    './io': () => import('evenkeel/io'),
  };

  test('every entry is looked at', () => {
    const { exports } = JSON.parse(read('package.json')) as { exports: Record<string, unknown> };
    const all = Object.keys(exports).filter((name) => !/json$|js$|^\.\/(build|methods)$/.test(name));
    expect(Object.keys(entries).sort()).toEqual(all.sort());
  });

  test('no two entries export one name, and no two names differ by case alone', async () => {
    const homes = new Map<string, [name: string, value: unknown][]>();
    for (const [entry, load] of Object.entries(entries))
      for (const [name, value] of Object.entries(await load())) {
        if (name === 'Tensor') continue; // and tensor, as in PyTorch
        // An op and the layer of it: relu, ReLU.
        const key = entry === './nn' ? `layer ${name.toLowerCase()}` : name.toLowerCase();
        homes.set(key, [...(homes.get(key) ?? []), [`${entry} ${name}`, value]]);
      }
    const shared = [...homes.values()].filter((list) => new Set(list.map(([, value]) => value)).size > 1);
    expect(shared.map((list) => list.map(([name]) => name))).toEqual([]);
    const exact = new Map<string, string[]>();
    for (const [entry, load] of Object.entries(entries))
      for (const name of Object.keys(await load())) exact.set(name, [...(exact.get(name) ?? []), entry]);
    expect([...exact].filter(([, list]) => list.length > 1)).toEqual([]);
  }, 60_000);

  test('an import is renamed for no name that the file gives away itself', () => {
    for (const file of sources.filter((f) => f.endsWith('.ts'))) {
      const text = read(file);
      for (const [, list] of text.matchAll(/^import (?:type )?\{([^}]*)\} from/gm))
        for (const [, name] of list!.matchAll(/(\w+) as \w+/g))
          expect(text, `${file} imports ${name} under another name`).not.toMatch(
            new RegExp(`^export (async )?(function|const|class) ${name}\\b`, 'm'),
          );
    }
  });

  test('no stem stands for two files of src', () => {
    const homes = new Map<string, string[]>();
    for (const file of sources) {
      const stem = file
        .split('/')
        .at(-1)!
        .replace(/\.(ts|mjs)$/, '');
      // src/ops/launch holds the dispatches of the op of the same stem.
      if (stem !== 'index' && !file.startsWith('src/ops/launch/')) homes.set(stem, [...(homes.get(stem) ?? []), file]);
    }
    expect([...homes.values()].filter((list) => list.length > 1)).toEqual([]);
  });
});

describe('size and manners', () => {
  test('every file is as the formatter writes it; `npm run format` does so', async () => {
    const bad: string[] = [];
    for (const file of [...sources, ...examples, ...files('test', /\.(ts|mts|mjs)$/)]) {
      if (file.includes('node_modules')) continue;
      if (!(await prettier.check(read(file), { ...FORMAT, filepath: file }))) bad.push(file);
    }
    expect(bad).toEqual([]);
  }, 300_000);

  test('no line of source is wider than 120 characters', () => {
    const wide: string[] = [];
    for (const file of [...sources, ...shaders, ...examples]) {
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
    for (const file of [...sources, ...examples].filter((f) => f.endsWith('.ts') && !f.endsWith('index.ts'))) {
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
      /^(\..*|package(-lock)?\.json|tsconfig\.json|src|shaders|test|examples|docs|(README|CONTRIBUTING|SECURITY)\.md|LICENSE|node_modules|dist|runs)$/;
    for (const name of readdirSync(root)) expect(name).toMatch(allowed);
  });
});
