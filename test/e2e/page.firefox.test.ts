import { afterAll, beforeAll, expect, test } from 'vitest';
import { servePage } from './serve-page.ts';

/** What is used of puppeteer-core, which `npm test -- --stack firefox` installs. */
interface Puppeteer {
  launch(options: object): Promise<{
    version(): Promise<string>;
    newPage(): Promise<{ goto(url: string): Promise<unknown>; evaluate<T>(run: () => Promise<T>): Promise<T> }>;
    close(): Promise<void>;
  }>;
}

let browser: Awaited<ReturnType<Puppeteer['launch']>>;
let served: Awaited<ReturnType<typeof servePage>>;

beforeAll(async () => {
  const { EVENKEEL_PUPPETEER: module = '', EVENKEEL_FIREFOX: executablePath } = process.env;
  const { default: puppeteer } = (await import(/* @vite-ignore */ module)) as { default: Puppeteer };
  served = await servePage();
  browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath,
    headless: true,
    extraPrefsFirefox: {
      'dom.webgpu.enabled': true,
      // A software adapter is on the list of drivers that Firefox avoids.
      'gfx.webgpu.ignore-blocklist': true,
    },
  });
});

afterAll(async () => {
  await browser?.close();
  served?.close();
});

test('the program of the README trains, calibrates and certifies in Firefox', async () => {
  expect(await browser.version()).toMatch(/firefox/i);
  const page = await browser.newPage();
  await page.goto(served.address);
  const result = await page.evaluate(() => window.run());
  expect(result.userAgent).toMatch(/Firefox/);
  expect(result.steps).toBeGreaterThan(0);
  expect(result.ece).toBeGreaterThanOrEqual(0);
  expect(result.label).toBeGreaterThanOrEqual(-1);
  expect(result.radius).toBeLessThanOrEqual(0.25 * 2.463263);
});
