import pRetry from 'p-retry';
import { CommandError } from '../core/errors.ts';

/**
 * Retries what fails as `busy`, five times in all within about 1.5 s, and only that: any other
 * failure is final. `between` waits for the condition that may have changed.
 */
export async function retryingBusy<T>(
  attempt: () => Promise<T>,
  options: {
    readonly allowed: boolean;
    readonly between?: () => Promise<void>;
    readonly log: (error: CommandError) => void;
  },
): Promise<T> {
  if (!options.allowed) return await attempt();
  return await pRetry(attempt, {
    retries: 4,
    minTimeout: 100,
    factor: 2,
    shouldRetry: ({ error }) => isBusy(error),
    onFailedAttempt: async ({ error, retriesLeft }) => {
      if (!isBusy(error) || retriesLeft === 0) return;
      options.log(error);
      await options.between?.();
    },
  });
}

function isBusy(error: unknown): error is CommandError {
  return error instanceof CommandError && error.reason === 'busy';
}
