import { firstLight } from './first-light.ts';

declare global {
  interface Window {
    run(): Promise<{ label: number; radius: number; steps: number; ece: number; userAgent: string }>;
  }
}

/** The program in a page of its own, with its data fetched from the server. */
window.run = async () => {
  let steps = 0;
  let ece = Number.NaN;
  const result = await firstLight('images.idx' as never, 'labels.idx.gz' as never, {
    chart: { add: (step) => void (steps = step) },
    log: (_, value) => void (ece = value),
  });
  return { ...result, steps, ece, userAgent: navigator.userAgent };
};
