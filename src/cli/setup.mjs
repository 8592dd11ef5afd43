// Entry of every npm script: brings a fresh clone to the point where the verb can run. Node's own modules only.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensureChrome } from './ensure-chrome.mjs';
import { needsBuild, needsInstall } from './freshness.mjs';
import { CORE_RUNS, ensureDeno, firefoxEnv, lavapipeEnv, STACKS, STACK_TESTS, testFlags } from './stacks.mjs';
import { countTests, slowestFiles } from './test-counts.mjs';
import { vulkanEnv } from './vulkan.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const at = (...parts) => join(root, ...parts);

const verbs = {
  async demo(args) {
    await build();
    return cli('demo', args);
  },
  async reproduce(args) {
    await build();
    return cli('reproduce', args);
  },
  async build(args) {
    return runBuild(args);
  },
  async bench(args) {
    const outfile = at('node_modules/.cache/evenkeel/bench.mjs');
    await declareShaders();
    await bundleNode(at('test/bench/main.ts'), outfile, true);
    const onNode = args.some((arg, i) => arg === '--host=node' || (arg === '--host' && args[i + 1] === 'node'));
    return node(
      [outfile, ...args],
      onNode ? vulkanEnv(await chromeOrExit(), at('node_modules/.cache/evenkeel/vulkan')) : {},
    );
  },
  async typecheck(args) {
    await declareShaders();
    return node([at('node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json', ...args]);
  },
  async test(args) {
    let flags;
    try {
      flags = testFlags(args);
    } catch (error) {
      return fail(error.message);
    }
    const { stack, tuning, rest } = flags;
    await declareShaders();
    const chrome = await chromeOrExit();
    const env = {
      EVENKEEL_CHROME: chrome,
      EVENKEEL_TUNING: tuning,
      ...vulkanEnv(chrome, at('node_modules/.cache/evenkeel/vulkan')),
    };
    const results = [];
    const stacks = { all: ['chrome', ...STACKS], core: [] }[stack] ?? [stack];
    for (const name of stacks) {
      if (stack === 'all') console.log(`stack ${name}`);
      try {
        results.push(await runTests(runOf(name, rest, env)));
      } catch (error) {
        results.push({ passed: 0, failed: 1, code: fail(error.message), report: null });
      }
    }
    // Each compiles its kernels in one thread, and so all run at a time.
    if (stack === 'core' || args.length === 0)
      results.push(...(await Promise.all(CORE_RUNS.map((core) => runCore(core, rest, env)))));
    console.log('slowest files:');
    for (const line of slowestFiles(
      results.map(({ report }) => report),
      root,
    ))
      console.log(`  ${line}`);
    const sum = (key) => results.reduce((total, result) => total + result[key], 0);
    console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
    const code = results.find((result) => result.code)?.code ?? 0;
    return sum('failed') > 0 ? code || 1 : code;
  },
};

/** How vitest runs on a stack: the tests named, else those of the stack. */
function runOf(name, words, env) {
  if (name === 'chrome') return { config: 'test/vitest.config.ts', words, env };
  const cache = at('node_modules/.cache/evenkeel');
  // What GPUs get is what these stacks are to show, unless another tuning is asked for.
  const own = { ...env, EVENKEEL_STACK: name, EVENKEEL_TUNING: env.EVENKEEL_TUNING || 'hardware' };
  if (name === 'lavapipe') Object.assign(own, lavapipeEnv(cache));
  if (name === 'firefox') Object.assign(own, firefoxEnv(cache));
  const host = name === 'deno' ? [ensureDeno(cache), 'run', '-A', '--unstable-webgpu', '--quiet'] : undefined;
  const all = name === 'firefox' ? [] : STACK_TESTS;
  return { config: 'test/stack.config.ts', words: words.length > 0 ? words : all, env: own, host };
}

/** Runs the core tests, or those named, on one stack, and shows what they said when they are done. */
async function runCore({ stack, tests }, words, env) {
  const own = { ...env, EVENKEEL_TUNING: env.EVENKEEL_TUNING || 'hardware' };
  const title = `stack ${stack}, ${own.EVENKEEL_TUNING} tuning, core tests`;
  let run;
  try {
    run = runOf(stack, words.length > 0 ? words : tests, own);
  } catch (error) {
    // A machine without this stack still tests all the rest, and says what it did not test.
    console.log(`${title}: NOT RUN, ${error.message}`);
    return { passed: 0, failed: 0, code: 0, report: null };
  }
  const { output, ...result } = await runTests({ ...run, isQuiet: true });
  console.log(`${output}\n${title}: ${result.passed} passed, ${result.failed} failed`);
  return result;
}

/** Runs vitest and counts what passed; `host`: the program that runs it; `isQuiet`: its output is returned. */
async function runTests({ config, words, env, host = [process.execPath], isQuiet = false }) {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-test-'));
  const file = join(folder, 'results.json');
  try {
    const vitest = [at('node_modules/vitest/vitest.mjs'), 'run', '--config', config, '--root', '.'];
    const reports = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
    const { code, output } = await start([...host, ...vitest, ...reports, ...words], env, isQuiet);
    const report = read(file);
    return { code, output, report, ...countTests(report, code) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main() {
  const [verb = '', ...args] = process.argv.slice(2);
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20) return fail(`evenkeel needs Node 20 or newer, this is ${process.versions.node}`);
  if (!Object.hasOwn(verbs, verb))
    return fail(`unknown verb '${verb}': expected one of ${Object.keys(verbs).join(', ')}`);
  if (needsInstall(root)) install();
  return verbs[verb](args);
}

function install() {
  console.error('installing packages');
  const npm = process.env.npm_execpath?.endsWith('.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  // No package needs its install script here, and running none is safer.
  const args = [...npm.slice(1), 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, stdout, stderr, error } = spawnSync(npm[0], args, {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32' && npm.length === 1,
  });
  if (status === 0) return;
  console.error(`${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`.trim());
  process.exit(
    fail('the packages could not be installed: see the lines above, and check the network and the npm registry'),
  );
}

/** Builds `dist` when a source is newer than it. */
async function build() {
  if (!needsBuild(root)) return;
  console.error('building evenkeel');
  const code = await runBuild([]);
  if (code !== 0) process.exit(code);
}

async function declareShaders() {
  const code = await runBuild(['--declare']);
  if (code !== 0) process.exit(code);
}

/** The build is TypeScript, and Node 20 runs none: it is bundled first. */
async function runBuild(args) {
  const outfile = at('node_modules/.cache/evenkeel/build.mjs');
  await bundleNode(at('src/build/build.ts'), outfile);
  return node([outfile, ...args]);
}

/** `library`: the program uses evenkeel itself, whose sources and shaders go into it. */
async function bundleNode(entry, outfile, library = false) {
  const { build: bundle } = await import('esbuild');
  mkdirSync(dirname(outfile), { recursive: true });
  const plugins = [];
  if (library) {
    const plugin = at('node_modules/.cache/evenkeel/plugin.mjs');
    await bundleNode(at('src/build/wgsl-plugin.ts'), plugin);
    const { wgsl } = await import(pathToFileURL(plugin).href);
    const setup = (b) =>
      b.onResolve({ filter: /^evenkeel(\/|$)/ }, ({ path }) => ({
        path: path === 'evenkeel' ? at('src/index.node.ts') : at('src', path.slice('evenkeel/'.length), 'index.ts'),
      }));
    plugins.push({ name: 'self', setup }, wgsl({ runtime: at('src/gpu/kernel.ts'), declarations: false }));
  }
  await bundle({
    entryPoints: [entry],
    absWorkingDir: root,
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'es2022',
    packages: 'external',
    logLevel: 'warning',
    plugins,
  });
}

async function cli(verb, args) {
  const onNode = args.some((arg, i) => arg === '--host=node' || (arg === '--host' && args[i + 1] === 'node'));
  // Chrome's own driver serves Dawn too.
  const env = onNode ? vulkanEnv(await chromeOrExit(), at('node_modules/.cache/evenkeel/vulkan')) : {};
  return node([at('dist/cli/main.js'), verb, ...args], env);
}

async function chromeOrExit() {
  try {
    return await ensureChrome();
  } catch (error) {
    process.exit(fail(error.message));
  }
}

function node(args, env = {}) {
  return run([process.execPath, ...args], env);
}

function run([command, ...args], env) {
  // The child gets Ctrl-C as well and says how it ended; this process only waits for that.
  process.on('SIGINT', () => {});
  const { status, signal } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return codeOf(status, signal);
}

/** The same without blocking; `isQuiet`: what the child says is returned instead of shown. */
function start([command, ...args], env, isQuiet) {
  process.on('SIGINT', () => {});
  const child = spawn(command, args, {
    cwd: root,
    stdio: isQuiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    env: { ...process.env, ...env },
  });
  let output = '';
  child.stdout?.on('data', (text) => (output += text));
  child.stderr?.on('data', (text) => (output += text));
  return new Promise((resolve) => {
    child.on('error', ({ message }) => resolve({ code: fail(message), output }));
    child.on('close', (status, signal) => resolve({ code: codeOf(status, signal), output }));
  });
}

function codeOf(status, signal) {
  return status ?? (signal === 'SIGINT' ? 130 : 1);
}

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}

function fail(sentence) {
  console.error(sentence);
  return 2;
}

process.exitCode = await main();
