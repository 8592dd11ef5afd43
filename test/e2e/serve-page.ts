import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';
import { build, type Plugin } from 'esbuild';
import { wgsl } from '../../src/build/wgsl-plugin.ts';
import { glyphs } from '../support/glyphs.ts';

// What a careful site sends: no inline code, no eval, nothing from elsewhere.
const CSP =
  "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; require-trusted-types-for 'script'";
const source = (path: string): string => new URL(`../../src/${path}`, import.meta.url).pathname;
const self: Plugin = {
  name: 'self',
  setup: (b) =>
    void b.onResolve({ filter: /^evenkeel(\/|$)/ }, ({ path }) => ({
      path: path === 'evenkeel' ? source('index.ts') : source(`${path.slice(9)}/index.ts`),
    })),
};

/** Serves the page of page.ts with its data on a free port of 127.0.0.1. */
export async function servePage(): Promise<{ address: string; close(): void }> {
  const { outputFiles } = await build({
    entryPoints: [new URL('./page.ts', import.meta.url).pathname],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    plugins: [self, wgsl({ runtime: source('gpu/kernel.ts'), declarations: false })],
  });
  const { images, labels } = glyphs(600, 2);
  const files: Record<string, [type: string, body: string | Uint8Array]> = {
    '/': [
      'text/html',
      '<!doctype html><meta charset="utf-8"><title>first light</title><script type="module" src="page.js"></script>',
    ],
    '/page.js': ['text/javascript', outputFiles[0]!.text],
    '/images.idx': ['application/octet-stream', images],
    '/labels.idx.gz': ['application/octet-stream', gzipSync(labels)],
  };
  const server = createServer((request, response) => {
    const file = files[request.url ?? '/'];
    response.writeHead(file ? 200 : 404, { 'content-type': file?.[0] ?? 'text/plain', 'content-security-policy': CSP });
    response.end(file?.[1]);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const address = `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
  return { address, close: () => void server.close() };
}
