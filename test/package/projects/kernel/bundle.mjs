// The same program for Node, through the plugin for esbuild.
import { build } from 'esbuild';
import { wgsl } from 'evenkeel/build';

await build({
  entryPoints: ['node.js'],
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  outfile: 'bundled/node.mjs',
  plugins: [wgsl()],
  logLevel: 'warning',
});
