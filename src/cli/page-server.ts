import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DatasetBytes } from './job.ts';

const HTML =
  '<!doctype html><meta charset="utf-8"><title>evenkeel</title><link rel="icon" href="data:,"><script ' +
  'type="module" src="page.js"></script>';
/** Cross-origin isolation gives the page fine timers. */
const HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cache-Control': 'no-store',
};
const MAX_UPLOAD = 1 << 30;

/** A running {@link servePage}. */
export interface PageServer {
  url: string;
  /** Files that the page sent. */
  files: Map<string, Uint8Array>;
  close(): Promise<void>;
}

/** Serves one page, its script and the data on a free port of 127.0.0.1, below a path nobody else can guess. */
export async function servePage(script: Uint8Array, datasets: readonly DatasetBytes[]): Promise<PageServer> {
  const base = `/${randomUUID()}/`;
  const files = new Map<string, Uint8Array>();
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const name = path.startsWith(base) ? decodeURIComponent(path.slice(base.length)) : null;
    if (name === '') return send(response, 'text/html', HTML);
    if (name === 'page.js') return send(response, 'text/javascript', script);
    const [folder, first = '', part = ''] = name?.split('/') ?? [];
    if (folder === 'data') {
      const bytes = datasets[Number(first)]?.[part as keyof DatasetBytes];
      if (bytes instanceof Uint8Array) return send(response, 'application/octet-stream', bytes);
    }
    if (folder === 'files' && request.method === 'POST') {
      files.set(first, await body(request));
      return send(response, 'text/plain', 'ok');
    }
    response.writeHead(404).end();
  }

  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${base}`,
    files,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function send(response: ServerResponse, type: string, body: string | Uint8Array): void {
  response.writeHead(200, { ...HEADERS, 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) }).end(body);
}

async function body(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_UPLOAD) throw new Error(`upload over ${MAX_UPLOAD} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
