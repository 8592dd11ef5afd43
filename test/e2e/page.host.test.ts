import { createServer, type Server } from 'node:http';
import { gzipSync } from 'node:zlib';
import { build, type Plugin } from 'esbuild';
import { chromium, type Browser } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { wgsl } from '../../src/build/wgsl-plugin.ts';
import { findChrome } from '../../src/cli/chrome.mjs';
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
let server: Server;
let browser: Browser;
let address = '';

beforeAll(async () => {
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
  server = createServer((request, response) => {
    const file = files[request.url ?? '/'];
    response.writeHead(file ? 200 : 404, { 'content-type': file?.[0] ?? 'text/plain', 'content-security-policy': CSP });
    response.end(file?.[1]);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  address = `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
  browser = await chromium.launch({
    executablePath: findChrome() ?? undefined,
    args: ['--no-sandbox', '--enable-unsafe-webgpu', '--disable-background-networking', '--no-first-run'],
  });
});

afterAll(async () => {
  await browser?.close();
  server?.close();
});

test('the program runs in a bare page under a strict content security policy', async () => {
  const page = await browser.newPage();
  const problems: string[] = [];
  page.on(
    'console',
    (message) =>
      void (
        ['error', 'warning'].includes(message.type()) &&
        !/favicon/.test(message.location().url) &&
        problems.push(message.text())
      ),
  );
  page.on('pageerror', (error) => void problems.push(String(error)));
  await page.goto(address);
  const result = await page.evaluate(() => window.run());
  expect(problems).toEqual([]);
  expect(result.steps).toBeGreaterThan(0);
  expect(result.ece).toBeGreaterThanOrEqual(0);
  expect(result.label).toBeGreaterThanOrEqual(-1);
  expect(result.radius).toBeLessThanOrEqual(0.25 * 2.463263);
});

test('without an adapter, and without WebGPU, the error says what to do', async () => {
  const page = await browser.newPage();
  await page.goto(address);
  const failure = (): Promise<string> =>
    page.evaluate(() =>
      window.run().then(
        () => 'it ran',
        (error: Error) => `${error.name}: ${error.message}`,
      ),
    );
  await page.evaluate(() => Object.defineProperty(navigator.gpu, 'requestAdapter', { value: async () => null }));
  expect(await failure()).toMatch(
    /^NoWebGPUError: no hardware or software WebGPU adapter: in Chrome on Linux start it with --enable-unsafe-webgpu/,
  );
  await page.evaluate(() => Object.defineProperty(navigator, 'gpu', { value: undefined }));
  expect(await failure()).toMatch(
    /^NoWebGPUError: WebGPU is not available: this browser has no WebGPU: use Chrome or Edge 113\+/,
  );
});
