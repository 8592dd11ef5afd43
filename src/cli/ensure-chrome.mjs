import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { findChrome } from './chrome.mjs';

const ADVICE = 'install Chrome or Chromium, or set EVENKEEL_CHROME to its executable';

/**
 * Path of a Chrome or Chromium with WebGPU: an installed one, else Playwright's, else one installed now with apt
 * (Debian or Ubuntu, as root) or Playwright. Throws an Error of one sentence when none can be had.
 */
export async function ensureChrome({ log = console.error } = {}) {
  const found = findChrome();
  if (found && !existsSync(found)) throw new Error(`EVENKEEL_CHROME is ${found}, where there is no file: ${ADVICE}`);
  if (found) return found;
  const own = await playwrightChrome();
  if (own) return own;
  if (canApt()) {
    log('no Chrome found: installing chromium with apt-get');
    quiet('apt-get', ['update']);
    quiet('apt-get', ['install', '-y', '--no-install-recommends', 'chromium']);
    const installed = findChrome();
    if (installed) return installed;
  }
  const cli = playwrightCli();
  if (cli) {
    log('no Chrome found: installing chromium with playwright');
    quiet(process.execPath, [cli, 'install', '--no-shell', ...(canApt() ? ['--with-deps'] : []), 'chromium']);
    const installed = await playwrightChrome();
    if (installed) return installed;
  }
  throw new Error(`no Chrome or Chromium was found and none could be installed: ${ADVICE}`);
}

/** True where apt-get can install packages: Debian or Ubuntu, as root. */
export function canApt() {
  return (
    process.platform === 'linux' &&
    process.getuid?.() === 0 &&
    existsSync('/etc/debian_version') &&
    existsSync('/usr/bin/apt-get')
  );
}

/** Runs a command without showing its output; returns whether it succeeded, and shows the end of it when not. */
export function quiet(command, args, log = console.error) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    maxBuffer: 1 << 26,
  });
  if (status !== 0) log(`${stdout ?? ''}${stderr ?? ''}`.trim().split('\n').slice(-8).join('\n'));
  return status === 0;
}

async function playwrightChrome() {
  try {
    // Only the full browser has WebGPU; this is its path, not the headless shell's.
    const path = (await import('playwright')).chromium.executablePath();
    return path && existsSync(path) ? path : null;
  } catch {
    return null;
  }
}

function playwrightCli() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('playwright/package.json')), 'cli.js');
  } catch {
    return null;
  }
}
