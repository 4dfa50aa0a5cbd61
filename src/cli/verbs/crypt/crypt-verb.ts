import type { Bofh } from '../../../bofh.ts';
import { parseKeyRef } from '../../../command/index.ts';
import { type Change, change as changeOf } from '../../runtime/change.ts';
import { type Options, saidIn } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { pathOn } from '../../runtime/session.ts';

/** A change whose keys may be those of the site file. */
export async function change<T>(
  runtime: Runtime,
  asked: Change<T> | ((bofh: Bofh) => Promise<Change<T>>),
): Promise<number> {
  return changeOf(runtime, asked, { site: 'used' });
}

/** The file that a header lies in, when it is not on the device. Throws UsageError for a relative path on another host. */
export function headerFileOf(runtime: Runtime, options: Options): string | undefined {
  const path = saidIn(options)('header');
  return path === undefined ? undefined : pathOn(runtime, path);
}

/** Where a key comes from; a person is asked unless it is said. */
export function keyOf(options: Options, name = 'key') {
  return parseKeyRef(saidIn(options)(name) ?? 'ask');
}
