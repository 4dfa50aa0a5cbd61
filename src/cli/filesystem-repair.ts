import * as filesystem from '../api/filesystem.ts';
import { withBofh } from '../bofh.ts';
import { UsageError } from '../errors.ts';
import { give } from './answer.ts';
import type { FilesystemRepair } from './answers/index.ts';
import { confirm } from './confirm.ts';
import type { Options } from './options.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';
import { printable } from './text.ts';

/** `bofh filesystem check DEVICE --repair` */
export async function repair(
  runtime: Runtime,
  device: string,
  { repair: isAsked, mayLoseFiles }: Options,
): Promise<number> {
  if (isAsked !== true)
    throw new UsageError('--may-lose-files says how to repair', { remedy: 'with it goes --repair' });
  const asked = { device, ...(mayLoseFiles === true ? { files: 'may be lost' as const } : {}) };
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, () => filesystem.repair(asked));
  }
  const found = await untilInterrupted(
    runtime,
    withBofh(bofh, () => filesystem.probe(device)),
  );
  if (mayLoseFiles === true)
    await confirm(runtime, [
      `What is wrong in the ${found?.type ?? ''} on ${printable(device)} is mended without a question: files in it may be lost.`,
    ]);
  await logged(runtime, bofh.host, () => withBofh(bofh, () => filesystem.repair(asked)));
  progress.end();
  const { type = '', uuid = null } = found ?? {};
  const data: FilesystemRepair = { device, type, uuid };
  give(runtime, { data, lines: [`the ${type} on ${printable(device)} is repaired: it is clean now`] });
  return 0;
}
