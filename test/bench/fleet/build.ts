import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { STYLE } from '../../../src/cli/report-style.ts';
import { options } from '../bundles.ts';

const at = (...parts: string[]): string => join(process.cwd(), ...parts);
const TESTS = 'test/ops';

/** The whole page as one HTML file, which needs no server and nothing from the network. */
export async function fleetPage(): Promise<string> {
  const base = options();
  const { outputFiles } = await build({
    ...base,
    entryPoints: [at('test/bench/fleet/page.ts')],
    // Names of tests are built from names of functions.
    keepNames: true,
    define: { 'import.meta.env': JSON.stringify({ EVENKEEL_TUNING: '' }) },
    plugins: [
      {
        name: 'tests',
        setup(b) {
          b.onResolve({ filter: /^fleet:tests$/ }, () => ({ path: 'tests', namespace: 'fleet' }));
          b.onLoad({ filter: /.*/, namespace: 'fleet' }, () => ({ contents: testList(), resolveDir: at(TESTS) }));
          b.onResolve({ filter: /^vitest$/ }, () => ({ path: at('test/bench/fleet/vitest.ts') }));
          // Vite's listing of files: the tests of the ops want their names alone.
          b.onLoad({ filter: /\.gpu\.test\.ts$/ }, ({ path }) => ({
            loader: 'ts',
            contents: readFileSync(path, 'utf8').replace(
              /import\.meta\.glob\(\s*'([^'*]*)\*([^'*]*)'[^)]*\)/g,
              (_, start: string, end: string) => {
                const names = readdirSync(resolve(dirname(path), start)).filter((name) => name.endsWith(end));
                return JSON.stringify(Object.fromEntries(names.map((name) => [`${start}${name}`, 1])));
              },
            ),
          }));
        },
      },
      ...(base.plugins ?? []),
    ],
  });
  return html(outputFiles![0]!.text);
}

function testList(): string {
  const names = readdirSync(at(TESTS)).filter((name) => name.endsWith('.gpu.test.ts'));
  const lines = names.map((name) => `  '${name.replace('.gpu.test.ts', '')}': () => import('./${name}'),`);
  return `export const files = {\n${lines.join('\n')}\n};\n`;
}

function html(script: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>evenkeel on this GPU</title>
<link rel="icon" href="data:,">
<style>${STYLE}
button,.save{font:inherit;font-weight:600;padding:10px 22px;border-radius:8px;border:1px solid var(--s1);cursor:pointer}
button{background:var(--s1);color:var(--paper)}button:disabled{opacity:.5;cursor:default}
.save{color:var(--s1);text-decoration:none;margin-left:12px}
pre{
  background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:16px;margin-top:24px;max-height:60vh;
  overflow:auto;font:13px/1.5 ui-monospace,Menlo,Consolas,monospace
}</style>
<main>
<header>
<p class="mark-name">evenkeel</p>
<h1>How well does it run on your GPU?</h1>
<p class="lede">This page checks every op of evenkeel on your GPU against 64-bit arithmetic, finds its fastest kernels,
and times it beside jax-js and TensorFlow.js. It takes some ten minutes. Nothing leaves this page: at its end you can save
one file with all figures.</p>
</header>
<button id="start">Start</button><a id="save" class="save" hidden>Save the figures</a>
<pre id="log" hidden aria-live="polite"></pre>
</main>
<script type="module">${script.replaceAll('</script', '<\\/script')}</script>
</html>
`;
}
