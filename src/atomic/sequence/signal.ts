import { InterruptedError, messageOf } from '../../core/errors.ts';

/** A promise that settles when the signal comes; `forget` removes its listener. */
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
 * The result of the work, or undefined if the signal comes first: the work then continues in the
 * background.
 */
export async function untilAborted<T>(
  signal: AbortSignal | undefined,
  work: Promise<T>,
): Promise<T | undefined> {
  if (signal === undefined) return work;
  const { promise, forget } = aborted(signal);
  try {
    return await Promise.race([work, promise]);
  } finally {
    forget();
  }
}

/** Why a signal was aborted: the name of the process signal, or the reason that the caller gave. */
function reasonOf({ reason }: AbortSignal): unknown {
  const given: unknown = reason;
  return given instanceof InterruptedError ? given.reason : given;
}

/** Whether the terminal was closed. */
export function isHangUp(stop: AbortSignal): boolean {
  return stop.aborted && reasonOf(stop) === 'SIGHUP';
}

/** Text of a reason; empty for the AbortError of `abort()` without a reason. */
function why(reason: unknown): string {
  if (reason instanceof Error ? reason.name === 'AbortError' : typeof reason !== 'string') return '';
  return `: ${messageOf(reason)}`;
}

/** The error of a sequence that a signal ended: a time-out has a code of its own. */
export function interruption(
  name: string,
  stop: AbortSignal,
  more: { readonly cause?: unknown; readonly remedy?: string; readonly how?: string } & Pick<
    ConstructorParameters<typeof InterruptedError>[1] & object,
    'id' | 'undone'
  > = {},
): InterruptedError {
  const { how = 'was interrupted', ...rest } = more;
  const reason = reasonOf(stop);
  if (!(reason instanceof Error && reason.name === 'TimeoutError'))
    return new InterruptedError(`"${name}" ${how}${why(reason)}`, { ...rest, reason });
  return new InterruptedError(`"${name}" took too long: ${reason.message}`, {
    ...{ ...rest, reason },
    code: 'timeout',
  });
}
