import { afterEach } from 'vitest';

const kept: { dispose?(): void }[] = [];
afterEach(() => kept.splice(0).forEach((each) => each.dispose?.()));

/** `made`, which is freed after the test. */
export const keep = <T extends { dispose?(): void }>(made: T): T => (kept.push(made), made);
