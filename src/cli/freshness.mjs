import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Newest modification time, in ms, of the files below `paths`; 0 where nothing exists. Written declarations do not
 * count: the build makes them.
 */
export function newestChange(paths) {
  let newest = 0;
  for (const path of paths) {
    if (!existsSync(path)) continue;
    const stat = statSync(path);
    if (stat.isDirectory()) newest = Math.max(newest, newestChange(readdirSync(path).map((name) => join(path, name))));
    else if (!path.endsWith('.d.wgsl.ts')) newest = Math.max(newest, stat.mtimeMs);
  }
  return newest;
}

/** True when packages were never installed, or the lock file changed since. */
export function needsInstall(root) {
  const installed = join(root, 'node_modules/.package-lock.json');
  return !existsSync(installed) || statSync(installed).mtimeMs < newestChange([join(root, 'package-lock.json')]);
}

/** True when `dist` has no complete build, or a source is newer than it. */
export function needsBuild(root) {
  const built = ['dist/cli/main.js', 'dist/cli/page.js'].map((file) => join(root, file));
  if (!built.every((file) => existsSync(file))) return true;
  const oldest = Math.min(...built.map((file) => statSync(file).mtimeMs));
  return (
    newestChange(
      ['src', 'shaders', 'examples/reproduce', 'package.json', 'tsconfig.json'].map((name) => join(root, name)),
    ) > oldest
  );
}
