import { InterruptedError } from '../../core/errors.ts';

/** Settles when the signal comes; `forget` removes its listener. */
function aborted(signal: AbortSignal): {
  readonly promise: Promise<undefined>;
  readonly forget: () => void;
} {
  let forget = (): void => undefined;
  const promise = new Promise<undefined>((resolve) => {
    const give = (): void => resolve(undefined);
    if (signal.aborted) give();
    signal.addEventListener('abort', give, { once: true });
    forget = () => signal.removeEventListener('abort', give);
  });
  return { promise, forget };
}

/**
 * The result of the work, or undefined if the signal comes first: the work then goes on in the
 * background.
 */
export async function unless<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T | undefined> {
  if (signal === undefined) return work;
  const { promise, forget } = aborted(signal);
  try {
    return await Promise.race([work, promise]);
  } finally {
    forget();
  }
}

/** Why a signal was aborted: the name of the process's signal, or what the program gave. */
export function reasonOf({ reason }: AbortSignal): unknown {
  const given: unknown = reason;
  return given instanceof InterruptedError ? given.reason : given;
}
