import { RefusedError } from '../../core/errors.ts';

/** Whether an operation could not look because its object, or a device that it is on, does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof RefusedError && error.code === 'not-found';
}
