import { setTimeout as pause } from 'node:timers/promises';

/** Polls until `check` returns true; false on timeout. */
export async function until(wait: {
  readonly check: () => Promise<boolean>;
  readonly limitMs: number;
}): Promise<boolean> {
  const start = performance.now();
  for (let everyMs = 100; ; everyMs = Math.min(everyMs * 2, 1000)) {
    if (await wait.check()) return true;
    if (performance.now() - start >= wait.limitMs) return false;
    await pause(everyMs);
  }
}
