import { runJob, type DatasetBytes, type JobEvent, type JobRequest } from './job.ts';
import { jobs } from './jobs.ts';

/** Result of a job in the page: errors cross to Node by name and message. */
export type PageOutcome =
  { ok: true; value: string; files: string[] } | { ok: false; name: string; message: string; stack: string };

/** What the page and Node call on each other. */
export interface PageGlobals {
  /** Set by Node. */
  evenkeelEvent(event: JobEvent): Promise<void>;
  /** Set here. */
  evenkeelRun(request: JobRequest, datasets: readonly string[]): Promise<PageOutcome>;
}

const PARTS = ['trainImages', 'trainLabels', 'testImages', 'testLabels'] as const;
/** Least time between two step events, ms: each costs a message to Node. */
const EVENT_INTERVAL = 80;

const page = globalThis as unknown as PageGlobals;

page.evenkeelRun = async (request, names) => {
  try {
    // Node stops a job by closing the browser, so the signal never fires here.
    const datasets = await Promise.all(names.map(download));
    const { value, files } = await runJob(jobs, request, datasets, {
      signal: new AbortController().signal,
      emit: throttled((event) => void page.evenkeelEvent(event)),
    });
    for (const [file, bytes] of files) await upload(file, bytes);
    return { ok: true, value: JSON.stringify(value), files: [...files.keys()] };
  } catch (error) {
    const { name = 'Error', message = String(error), stack = '' } = error as Partial<Error>;
    return { ok: false, name, message, stack };
  }
};

/** Passes events on; of the steps no more than one an interval, and the last of a phase: its loss is what it shows. */
function throttled(send: (event: JobEvent) => void): (event: JobEvent) => void {
  let [sent, total] = [-Infinity, 0];
  return (event) => {
    if (event.type === 'phase') total = event.total;
    if (event.type === 'step') {
      const now = performance.now();
      if (now - sent < EVENT_INTERVAL && event.done < total) return;
      sent = now;
    }
    send(event);
  };
}

async function download(name: string, index: number): Promise<DatasetBytes> {
  const parts = await Promise.all(
    PARTS.map(async (part) => {
      const response = await fetch(`data/${index}/${part}`);
      if (!response.ok) throw new Error(`${name} ${part}: the server answered ${response.status}`);
      return [part, new Uint8Array(await response.arrayBuffer())] as const;
    }),
  );
  return { name, ...(Object.fromEntries(parts) as Record<(typeof PARTS)[number], Uint8Array>) };
}

async function upload(file: string, bytes: Uint8Array): Promise<void> {
  const response = await fetch(`files/${encodeURIComponent(file)}`, {
    method: 'POST',
    body: bytes as Uint8Array<ArrayBuffer>,
  });
  if (!response.ok) throw new Error(`${file}: the server answered ${response.status}`);
}
