import { createRequire, syncBuiltinESMExports } from 'node:module';

const timers = createRequire(import.meta.url)('node:timers/promises') as {
  setTimeout: <T>(ms?: number, value?: T) => Promise<T>;
};

// Over all bodies: what an earlier one left behind must not see the clock go back.
let skipped = 0;

/**
 * While a body runs, waiting takes no time: a pause of `node:timers/promises` lets everything else
 * run first, and advances the clock. So a driver that waits two minutes for a domain can be tried a
 * hundred times. A wait longer than `limitMs` fails.
 */
export async function withoutWaiting<T>(
  body: () => Promise<T>,
  { limitMs = Number.POSITIVE_INFINITY }: { readonly limitMs?: number } = {},
): Promise<T> {
  const pause = timers.setTimeout;
  const now = performance.now.bind(performance);
  const begun = skipped;
  timers.setTimeout = async <V>(ms = 0, value?: V): Promise<V> => {
    await new Promise((resolve) => setImmediate(resolve));
    skipped += ms;
    if (skipped - begun > limitMs)
      throw new Error(`it waited for ${limitMs / 1000} s, and would wait for ever`);
    return value as V;
  };
  performance.now = () => now() + skipped;
  syncBuiltinESMExports();
  try {
    return await body();
  } finally {
    timers.setTimeout = pause;
    // The own property: what the prototype has is in force again.
    Reflect.deleteProperty(performance, 'now');
    syncBuiltinESMExports();
  }
}
