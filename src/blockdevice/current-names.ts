import type { ReadHost } from '../command/index.ts';
import { locate } from './locate.ts';

/**
 * Replaces device names in the journal data of a step by the current ones: after a reboot, or when
 * a file is attached again, a loop device has another number. Each object with an `identity` beside
 * a `device` or `path` names a device. A name stays if `locate` finds no device.
 */
export async function withCurrentNames(host: ReadHost, journalled: unknown): Promise<unknown> {
  if (Array.isArray(journalled))
    return await Promise.all(journalled.map((each) => withCurrentNames(host, each)));
  if (typeof journalled !== 'object' || journalled === null) return journalled;
  const now = new Map<string, unknown>();
  for (const [key, value] of Object.entries(journalled)) now.set(key, await withCurrentNames(host, value));
  const identity = now.get('identity');
  for (const key of ['device', 'path']) {
    const path = now.get(key);
    if (typeof identity !== 'string' || typeof path !== 'string' || !path.startsWith('/dev/')) continue;
    now.set(key, (await locate(host, { path, identity })) ?? path);
  }
  return Object.fromEntries(now);
}
