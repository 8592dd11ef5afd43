import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright';
import { ensureChrome } from './ensure-chrome.mjs';
import { UsageError } from './usage-error.ts';
import type { DatasetBytes, JobHost, JobOutcome, JobRequest } from './job.ts';
import type { PageGlobals, PageOutcome } from './page.ts';
import { servePage } from './page-server.ts';

/**
 * Runs a job in a page of headless Chrome, served from this process. Errors of the page, and its crash, are errors
 * here. `own` is a script to run instead of the CLI's page, `query` what its address ends with.
 */
export async function runInChrome(
  request: JobRequest,
  datasets: readonly DatasetBytes[],
  { signal, emit }: JobHost,
  own?: Uint8Array,
  query = '',
): Promise<JobOutcome> {
  const script = own ?? (await readFile(new URL('./page.js', import.meta.url)));
  const browser = await launch();
  const server = await servePage(script, datasets).catch(async (error: unknown) => {
    await browser.close();
    throw error;
  });
  const abort = (): void => void browser.close();
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    const page = await browser.newPage();
    const failure = watch(browser, page);
    await page.exposeFunction('evenkeelEvent' satisfies keyof PageGlobals, emit);
    await page.goto(server.url + query, { waitUntil: 'load' });
    const run = page.evaluate(([what, names]) => (globalThis as unknown as PageGlobals).evenkeelRun(what, names), [
      request,
      datasets.map(({ name }) => name),
    ] as [JobRequest, string[]]);
    const outcome: PageOutcome = await Promise.race([run, failure.promise]);
    if (!outcome.ok) throw pageError(outcome);
    if (failure.messages.length > 0) throw new Error(`the page reported an error: ${failure.messages.join('; ')}`);
    return {
      value: JSON.parse(outcome.value),
      files: new Map(outcome.files.map((file) => [file, server.files.get(file)!])),
    };
  } catch (error) {
    signal.throwIfAborted(); // a closed browser fails in many ways; the reason is this one
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    await browser.close();
    await server.close();
  }
}

async function launch(): Promise<Browser> {
  const { chromium } = await import('playwright').catch(() => {
    throw new UsageError('the package playwright is missing: run `npm install playwright`, or give --host node');
  });
  const executablePath = await ensureChrome().catch((error: Error) => {
    throw new UsageError(error.message);
  });
  // Chrome's sandbox does not start as root, nor in most CI containers.
  const unsandboxed = process.getuid?.() === 0 || process.env.CI ? ['--no-sandbox'] : [];
  try {
    return await chromium.launch({
      executablePath,
      headless: true,
      handleSIGINT: false,
      args: [...unsandboxed, '--enable-unsafe-webgpu', '--disable-background-networking', '--no-first-run'],
    });
  } catch (error) {
    throw new UsageError(`${executablePath} did not start: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** Rejects when the page dies or throws outside of the job; collects what it logs as errors. */
function watch(browser: Browser, page: Page): { promise: Promise<never>; messages: string[] } {
  const messages: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') messages.push(message.text());
  });
  const promise = new Promise<never>((_, reject) => {
    page.on('crash', () => reject(new Error('the page crashed (out of memory?)')));
    page.on('pageerror', (error) => reject(error));
    browser.on('disconnected', () => reject(new Error('Chrome ended before the job did')));
  });
  promise.catch(() => {}); // the browser also disconnects after the job, when nobody waits any more
  return { promise, messages };
}

function pageError({ name, message, stack }: { name: string; message: string; stack: string }): Error {
  if (name === 'NoWebGPUError') return new UsageError(`--host chrome: ${message}`);
  const error = new Error(message);
  error.name = name;
  error.stack = stack || `${name}: ${message}`;
  return error;
}
