import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../../src/cli/usage-error.ts';
import { needsInstall } from '../../src/cli/freshness.mjs';

/** The engines that evenkeel is compared with, as packages. */
export const PEERS = ['@jax-js/jax', '@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-webgpu'];

/** Runs npm in `folder`; whether it worked. */
export type Npm = (args: readonly string[], folder: string) => boolean;

const npm: Npm = (args, folder) =>
  spawnSync('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'], shell: process.platform === 'win32' })
    .status === 0;

/**
 * Installs the peers in the benchmark's own folder where they are missing or out of date. Throws UsageError where that
 * fails.
 */
export function installPeers(folder: string, run: Npm = npm): void {
  if (!needsInstall(folder)) return;
  console.error('installing the peers');
  const done = run(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], folder);
  const missing = PEERS.find((peer) => !existsSync(join(folder, 'node_modules', peer, 'package.json')));
  if (!done || missing)
    throw new UsageError(
      `the peers could not be installed in ${folder}${missing ? ` (${missing} is missing)` : ''}: check the ` +
        'network and the npm registry, or give --host node',
    );
}
