import type { DeviceKeys } from '../../atomic/operation.ts';
import { CommandError } from '../../core/errors.ts';

/** Returns the keys of a volume's device; undefined if it is inactive and so has no device. */
export async function deviceKeys(
  on: (path: string) => Promise<DeviceKeys>,
  path: string,
): Promise<DeviceKeys | undefined> {
  try {
    return await on(path);
  } catch (error) {
    if (error instanceof CommandError && error.reason === 'not-found') return undefined;
    throw error;
  }
}
