import { chromium, type Browser } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findChrome } from '../../src/cli/chrome.mjs';
import { servePage } from './serve-page.ts';

let served: Awaited<ReturnType<typeof servePage>>;
let browser: Browser;
let address = '';

beforeAll(async () => {
  served = await servePage();
  ({ address } = served);
  browser = await chromium.launch({
    executablePath: findChrome() ?? undefined,
    args: ['--no-sandbox', '--enable-unsafe-webgpu', '--disable-background-networking', '--no-first-run'],
  });
});

afterAll(async () => {
  await browser?.close();
  served?.close();
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
