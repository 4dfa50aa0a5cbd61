import { createRequire, syncBuiltinESMExports } from 'node:module';

const timers = createRequire(import.meta.url)('node:timers/promises') as {
  setTimeout: <T>(ms?: number, value?: T) => Promise<T>;
};

// All skipped time so far, in ms. It is kept between calls of `withoutWaiting`, so that a later
// call never sees an earlier time.
let skipped = 0;

/** Bodies that run now. The last one to end gives the clock back. */
let running = 0;
const pause = timers.setTimeout;

/**
 * Runs a body in which waiting takes no time: a pause of `node:timers/promises` lets everything
 * else run first, and advances the clock. So a driver that waits two minutes for a domain can be
 * tried a hundred times. Fails when the waits of the body add up to more than `limitMs`; within
 * another such body, only its limit counts.
 */
export async function withoutWaiting<T>(
  body: () => Promise<T>,
  { limitMs = Number.POSITIVE_INFINITY }: { readonly limitMs?: number } = {},
): Promise<T> {
  if (running === 0) skipFrom(skipped, limitMs);
  running += 1;
  try {
    return await body();
  } finally {
    running -= 1;
    if (running === 0) {
      timers.setTimeout = pause;
      // Removes the own property, so that the one of the prototype applies again.
      Reflect.deleteProperty(performance, 'now');
      syncBuiltinESMExports();
    }
  }
}

function skipFrom(begun: number, limitMs: number): void {
  const now = performance.now.bind(performance);
  timers.setTimeout = async <V>(ms = 0, value?: V): Promise<V> => {
    await new Promise((resolve) => setImmediate(resolve));
    skipped += ms;
    if (skipped - begun > limitMs)
      throw new Error(`the tried code waited for ${limitMs / 1000} s, and would wait for ever`);
    return value as V;
  };
  performance.now = () => now() + skipped;
  syncBuiltinESMExports();
}
