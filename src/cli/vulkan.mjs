import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ICD = 'vk_swiftshader_icd.json';
const LOADER = 'libvulkan.so.1';
const SYSTEM_LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
  '/lib64',
  '/lib',
];

/**
 * Environment additions with which Dawn in Node finds an adapter: Chrome ships a Vulkan loader and the software driver
 * SwiftShader next to its executable. The loader reads its environment when the process starts, so they are for a
 * child. Empty outside Linux; drivers that the user chose by environment variable are left alone. `cache` is a folder
 * of ours.
 */
export function vulkanEnv(
  chrome,
  cache,
  { env = process.env, platform = process.platform, hardware = hasGraphicsDevice() } = {},
) {
  if (platform !== 'linux') return {};
  const added = {};
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  if (!env.XDG_RUNTIME_DIR) added.XDG_RUNTIME_DIR = cache; // Vulkan complains without one
  const folder = chrome && chromeFolder(chrome);
  if (!folder) return added;
  if (!env.VK_ICD_FILENAMES && !env.VK_DRIVER_FILES && !env.VK_ADD_DRIVER_FILES) {
    // Without a graphics device the installed drivers can only offer another software adapter; Dawn refuses old ones,
    // loudly.
    added[hardware ? 'VK_ADD_DRIVER_FILES' : 'VK_ICD_FILENAMES'] = join(folder, ICD);
  }
  const own = join(folder, LOADER);
  if (existsSync(own) && !SYSTEM_LIBRARIES.some((path) => existsSync(join(path, LOADER)))) {
    // A folder with the loader alone: Chrome's own holds other libraries that must not shadow the system's.
    const only = join(cache, 'lib');
    rmSync(only, { recursive: true, force: true });
    mkdirSync(only);
    symlinkSync(own, join(only, LOADER));
    added.LD_LIBRARY_PATH = env.LD_LIBRARY_PATH ? `${only}:${env.LD_LIBRARY_PATH}` : only;
  }
  return added;
}

/** Folder with the software driver for the Chrome at `path`, which may be a launcher script; or null. */
function chromeFolder(path) {
  if (!existsSync(path)) return null;
  const real = realpathSync(path);
  const script = readFileSync(real).subarray(0, 4096).toString('latin1');
  const named = script.startsWith('#!')
    ? [...script.matchAll(/\/(?:usr|opt|snap)\/[\w./-]+/g)].map(([text]) => text)
    : [];
  const candidates = [
    dirname(real),
    ...named,
    ...named.map(dirname),
    '/usr/lib/chromium',
    '/usr/lib/chromium-browser',
    '/opt/google/chrome',
  ];
  return candidates.find((folder) => existsSync(join(folder, ICD))) ?? null;
}

function hasGraphicsDevice() {
  const nodes = (folder, pattern) => existsSync(folder) && readdirSync(folder).some((name) => pattern.test(name));
  return nodes('/dev/dri', /^render/) || nodes('/dev', /^(nvidia\d|dxg$)/);
}
