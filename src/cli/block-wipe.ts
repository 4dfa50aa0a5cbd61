import * as block from '../api/block.ts';
import { withBofh } from '../bofh.ts';
import { give } from './answer.ts';
import type { BlockDestroy, BlockWipe } from './answers/index.ts';
import { confirm } from './confirm.ts';
import type { Options } from './options.ts';
import type { Runtime } from './runtime.ts';
import { openSession } from './session.ts';
import { logged } from './system-log.ts';
import { printable } from './text.ts';

/** `bofh block wipe DEVICE --overwrite UUID|TYPE` */
export async function wipe(runtime: Runtime, device: string, options: Options): Promise<number> {
  const overwrite = typeof options.overwrite === 'string' ? options.overwrite.split(',') : [];
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const act = () => block.wipe({ device, overwrite });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return dryRun(runtime, bofh, act);
  }
  if (overwrite.length > 0)
    await confirm(runtime, [
      `${printable(device)} is blank afterwards, and what is on it now is not found any more: ${overwrite.map(printable).join(', ')}`,
    ]);
  const made = await logged(runtime, bofh.host, () => withBofh(bofh, act));
  progress.end();
  const data: BlockWipe = { device, erased: [...made.erased] };
  const types = [...new Set(made.erased.map(({ type }) => type))];
  give(runtime, { data, lines: [`${printable(device)} is blank now; erased: ${types.join(', ')}`] });
  return 0;
}

/** `bofh block discard DEVICE` and `bofh block zero DEVICE` */
export async function destroy(
  runtime: Runtime,
  { device, how }: { readonly device: string; readonly how: 'discard' | 'zero' },
  options: Options,
): Promise<number> {
  const overwrite = typeof options.overwrite === 'string' ? options.overwrite.split(',') : [];
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const act = () => block[how]({ device, overwrite });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return dryRun(runtime, bofh, act);
  }
  const what = overwrite.map((each) =>
    each === 'blank' ? 'whatever it is, for it has no signature' : printable(each),
  );
  if (what.length > 0)
    await confirm(runtime, [`all that is on ${printable(device)} is lost for ever: ${what.join(', ')}`]);
  await logged(runtime, bofh.host, () => withBofh(bofh, act));
  progress.end();
  const data: BlockDestroy = { device, lost: overwrite };
  const done = how === 'zero' ? 'is filled with zeros' : 'is discarded';
  give(runtime, { data, lines: [`${printable(device)} ${done}: nothing of what was on it is left`] });
  return 0;
}
