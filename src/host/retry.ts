import pRetry from 'p-retry';
import { CommandError } from '../core/errors.ts';

/**
 * Runs an action up to five times within about 1.5 s while it fails as `busy`. Any other failure is final.
 * `between` runs before each retry, for example to wait for udev.
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
