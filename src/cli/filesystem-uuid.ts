import * as filesystem from '../api/filesystem.ts';
import { withBofh } from '../bofh.ts';
import { give } from './answer.ts';
import type { FilesystemUuid } from './answers/index.ts';
import type { Options } from './options.ts';
import type { Runtime } from './runtime.ts';
import { openSession } from './session.ts';
import { logged } from './system-log.ts';
import { printable } from './text.ts';

/** `bofh filesystem uuid DEVICE` */
export async function uuid(
  runtime: Runtime,
  device: string,
  { uuid: wanted, addSeed }: Options,
): Promise<number> {
  const asked = {
    device,
    ...(typeof wanted === 'string' ? { uuid: wanted } : {}),
    ...(addSeed === true ? { seed: 'may be added' as const } : {}),
  };
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, () => filesystem.uuid(asked));
  }
  const made = await logged(runtime, bofh.host, () => withBofh(bofh, () => filesystem.uuid(asked)));
  progress.end();
  const data: FilesystemUuid = { device, uuid: made.uuid, was: made.was };
  const line =
    made.uuid === made.was
      ? `has the uuid ${made.uuid} already`
      : `has the uuid ${made.uuid} now; it had ${made.was}`;
  give(runtime, { data, lines: [`${printable(device)} ${line}`] });
  return 0;
}
