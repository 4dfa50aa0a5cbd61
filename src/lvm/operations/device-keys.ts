import { orMissing } from '../../command/index.ts';
import type { DeviceKeys } from '../../atomic/operation.ts';

/** Returns the keys of a volume's device; undefined if it is inactive and so has no device. */
export async function deviceKeys(
  on: (path: string) => Promise<DeviceKeys>,
  path: string,
): Promise<DeviceKeys | undefined> {
  return await orMissing(on(path));
}
