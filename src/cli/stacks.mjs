import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { canApt, quiet } from './ensure-chrome.mjs';

/**
 * WebGPU stacks beside headless Chrome on which the tests run: `node`, Dawn on SwiftShader; `lavapipe`, Dawn on Mesa's
 * software driver; `deno`, wgpu and naga on SwiftShader; `firefox`, the program of the README in a page of Firefox.
 */
export const STACKS = ['node', 'lavapipe', 'deno', 'firefox'];

/** What runs on those stacks but Firefox when no test is named: ops, losses and training. */
export const STACK_TESTS = ['test/ops', 'test/losses', 'test/optim', 'test/train'];

/**
 * The core tests, which `npm test` runs on {@link CORE_RUNS} too: tables with a line for every op (all element types
 * and gradients), products, elementwise ops, reductions, rows and losses against values of PyTorch and f64, special
 * values, optimisers, random numbers, and a short training. Shapes are small.
 */
export const CORE_TESTS = [
  'test/ops/table.gpu',
  'test/ops/core-products.gpu',
  'test/ops/golden-elementwise.gpu',
  'test/ops/golden-norm-softmax.gpu',
  'test/ops/golden-reduce.gpu',
  'test/ops/special-values.gpu',
  'test/losses/table.gpu',
  'test/optim/golden-optimizers.gpu',
  'test/random/random.gpu',
  'test/train/epoch-scores.gpu',
];

/**
 * The stacks of the core tests: the tuning for GPUs, with each compiler of shaders that needs no GPU. LLVM in lavapipe
 * takes many seconds for a tile of a product: there the training alone has some, and the whole sets the rest.
 */
export const CORE_RUNS = [
  { stack: 'chrome', tests: CORE_TESTS },
  { stack: 'lavapipe', tests: CORE_TESTS.filter((test) => !/ops\/(table|core-products)/.test(test)) },
  { stack: 'deno', tests: CORE_TESTS },
];

const DENO = 'deno@2.9.6';
const PUPPETEER = 'puppeteer-core@25.16.0';
/** Dawn refuses older versions of Mesa's driver. */
const LEAST_MESA = 24;

/** The words after `npm test --`: the stack, the tuning and what vitest gets. Throws an Error of one sentence. */
export function testFlags(args) {
  const flags = { stack: 'chrome', tuning: '' };
  const allowed = { stack: ['chrome', ...STACKS, 'core', 'all'], tuning: ['hardware', 'software'] };
  const rest = [];
  for (let i = 0; i < args.length; i++) {
    const [, name, given] = /^--(stack|tuning)(?:=(.*))?$/.exec(args[i]) ?? [];
    if (!name) {
      rest.push(args[i]);
      continue;
    }
    const value = given ?? args[++i];
    if (!allowed[name].includes(value))
      throw new Error(`test: --${name} is ${value ?? 'missing'}, expected one of ${allowed[name].join(', ')}`);
    flags[name] = value;
  }
  return { ...flags, rest };
}

/**
 * Environment with which Dawn finds lavapipe: the one of the system where it is new enough, else one that apt downloads
 * into `cache` and that is unpacked there, so that the system stays as it is. Throws an Error of one sentence where
 * none can be had.
 */
export function lavapipeEnv(cache, { log = console.error } = {}) {
  const own = systemMesa();
  if (own) return { VK_ICD_FILENAMES: own };
  const folder = join(cache, 'mesa');
  if (!driverIn(folder)) {
    log('no lavapipe of Mesa 24 or newer found: downloading it with apt-get');
    downloadMesa(folder);
  }
  const driver = driverIn(folder);
  if (!driver)
    throw new Error(
      `test: no lavapipe could be had: install Mesa ${LEAST_MESA} or newer (mesa-vulkan-drivers), or use Debian ` +
        'or Ubuntu with apt-get',
    );
  // The driver's own manifest names it by the place that it has in a system.
  const icd = join(cache, 'lavapipe.json');
  const manifest = { file_format_version: '1.0.0', ICD: { library_path: driver, api_version: '1.4.0' } };
  writeFileSync(icd, JSON.stringify(manifest));
  const paths = [dirname(driver), process.env.LD_LIBRARY_PATH].filter(Boolean);
  return { VK_ICD_FILENAMES: icd, LD_LIBRARY_PATH: paths.join(':') };
}

/** Manifest of the system's lavapipe, if Dawn takes it. */
function systemMesa() {
  const folder = '/usr/share/vulkan/icd.d';
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^lvp_icd.*\.json$/.test(name)) : [];
  if (names.length === 0) return null;
  const { stdout } = spawnSync('dpkg-query', ['-W', '-f', '${Version}', 'mesa-vulkan-drivers'], { encoding: 'utf8' });
  const version = Number(/^(?:\d+:)?(\d+)/.exec(stdout ?? '')?.[1]);
  return version >= LEAST_MESA ? join(folder, names[0]) : null;
}

function driverIn(folder) {
  const at = find(folder, 'libvulkan_lvp.so');
  return at && existsSync(at) ? at : null;
}

function find(folder, name) {
  if (!existsSync(folder)) return null;
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    if (entry.endsWith(`/${name}`)) return join(folder, entry);
  return null;
}

/**
 * Downloads the driver of the backports with the libraries that this system lacks for it. Sources, lists and archives
 * are of this folder, and so no root is needed.
 */
function downloadMesa(folder) {
  if (!existsSync('/usr/bin/apt-get') || !existsSync('/etc/os-release')) return;
  const codename = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const { stdout } = spawnSync(
    'apt-get',
    ['indextargets', '--format', '$(RELEASE) $(REPO_URI)', 'Created-By: Packages'],
    { encoding: 'utf8' },
  );
  const mirror = (stdout ?? '')
    .split('\n')
    .map((line) => line.split(' '))
    .find(([release]) => release === codename)?.[1];
  if (!mirror) return;
  const apt = `${folder}.apt`;
  for (const part of ['lists/partial', 'archives/partial']) mkdirSync(join(apt, part), { recursive: true });
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  const signed = existsSync(keyring) ? `[signed-by=${keyring}] ` : '';
  writeFileSync(
    join(apt, 'sources.list'),
    [codename, `${codename}-backports`].map((suite) => `deb ${signed}${mirror} ${suite} main\n`).join(''),
  );
  const options = {
    'Dir::Etc::sourcelist': join(apt, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': join(apt, 'lists'),
    'Dir::Cache': apt,
    'Dir::Cache::archives': join(apt, 'archives'),
    'APT::Sandbox::User': 'root',
    'Debug::NoLocking': 'true',
    // Without a network the rest of the tests should not wait for long.
    'Acquire::http::Timeout': '30',
    'Acquire::Retries': '1',
  };
  const own = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const words = ['-y', '-t', `${codename}-backports`, '--no-install-recommends', '--reinstall', '--download-only'];
  if (!quiet('apt-get', [...own, 'update'])) return;
  if (!quiet('apt-get', [...own, ...words, 'install', 'mesa-vulkan-drivers'])) return;
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  // OpenGL and video come along because they keep step; the driver does without them.
  const unwanted = /^(libgl|libegl|libgbm|libxatracker|mesa-va-|mesa-vdpau-|mesa-opencl-|mesa-libgallium|mesa-common-)/;
  for (const name of readdirSync(join(apt, 'archives')))
    if (name.endsWith('.deb') && !unwanted.test(name)) quiet('dpkg-deb', ['-x', join(apt, 'archives', name), part]);
  rmSync(folder, { recursive: true, force: true });
  renameSync(part, folder);
  rmSync(apt, { recursive: true, force: true });
}

/**
 * Environment for the tests in Firefox: its executable, which is `EVENKEEL_FIREFOX`, an installed one or one installed
 * now with apt, and the module that drives it. Throws an Error of one sentence.
 */
export function firefoxEnv(cache, { env = process.env, log = console.error } = {}) {
  const known = () =>
    [
      env.EVENKEEL_FIREFOX,
      '/usr/bin/firefox-esr',
      '/usr/bin/firefox',
      '/Applications/Firefox.app/Contents/MacOS/firefox',
    ]
      .filter(Boolean)
      .find((path) => existsSync(path));
  if (!known() && canApt()) {
    log('no Firefox found: installing firefox-esr with apt-get');
    quiet('apt-get', ['update']);
    quiet('apt-get', ['install', '-y', '--no-install-recommends', 'firefox-esr']);
  }
  const firefox = known();
  if (!firefox) throw new Error('test: no Firefox was found: install it, or set EVENKEEL_FIREFOX to its executable');
  const folder = join(cache, 'puppeteer');
  const entry = npmInstall(folder, PUPPETEER, 'node_modules/puppeteer-core/package.json', log);
  const { exports } = JSON.parse(readFileSync(entry, 'utf8'));
  const main = exports['.'].import?.default ?? exports['.'].import ?? exports['.'].default ?? exports['.'];
  return { EVENKEEL_FIREFOX: firefox, EVENKEEL_PUPPETEER: pathToFileURL(join(dirname(entry), main)).href };
}

/** Path of Deno: `EVENKEEL_DENO`, else the one that npm installs into `cache`. Throws an Error of one sentence. */
export function ensureDeno(cache, { env = process.env, log = console.error } = {}) {
  if (env.EVENKEEL_DENO) {
    if (existsSync(env.EVENKEEL_DENO)) return env.EVENKEEL_DENO;
    throw new Error(`test: EVENKEEL_DENO is ${env.EVENKEEL_DENO}, where there is no file`);
  }
  return npmInstall(join(cache, 'deno'), DENO, 'node_modules/.bin/deno', log);
}

/** Installs a package into a folder of its own, once; returns the path of one of its files there. */
function npmInstall(folder, name, file, log) {
  const path = join(folder, file);
  if (existsSync(path)) return path;
  log(`installing ${name} with npm`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  quiet('npm', [
    'install',
    '--prefix',
    folder,
    '--no-audit',
    '--no-fund',
    '--fetch-retries=1',
    '--loglevel=error',
    name,
  ]);
  if (existsSync(path)) return path;
  throw new Error(`test: ${name} could not be installed with npm: see the lines above`);
}
