import { type KeyRef, type ReadHost, refuseExposed } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';

/** RefusedError if a key file is clearly unusable. Other problems appear when the key is read. */
export async function checkKey(host: ReadHost, key: KeyRef): Promise<void> {
  if (key.from !== 'file') return;
  await refuseExposed(host, key.path, 'content');
  const stat = await host.stat(key.path);
  if (stat?.kind === 'symlink' || (stat?.kind === 'file' && stat.size > 0)) return;
  const why =
    stat === undefined ? 'does not exist' : stat.kind === 'file' ? 'is empty' : 'is not a regular file';
  throw new RefusedError(`the key file ${key.path} ${why}`, {
    remedy: 'give another source of the key, for example --key file:/PATH',
  });
}
