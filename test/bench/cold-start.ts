import { answer, pinAdapter } from './page-outcome.ts';

/** Answers with the ms from the start of the navigation to the end of the first MLP step. */
export function coldStart(firstStep: () => Promise<void>): void {
  pinAdapter(new URLSearchParams(location.search).get('adapter') as 'hardware' | 'software' | null);
  const ended = firstStep().then(() => performance.now());
  ended.catch(() => {}); // the answer reports it
  answer(() => ended);
}
