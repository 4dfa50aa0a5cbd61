import * as block from '../api/block.ts';
import { withBofh } from '../bofh.ts';
import { formatSize } from '../units.ts';
import { give } from './answer.ts';
import type { BlockImageCreate } from './answers/index.ts';
import type { Options } from './options.ts';
import type { Runtime } from './runtime.ts';
import { openSession, pathOn } from './session.ts';
import { logged } from './system-log.ts';
import { printable } from './text.ts';

/** `bofh block image create FILE SIZE` */
export async function create(
  runtime: Runtime,
  { file, size }: { readonly file: string; readonly size: string },
  options: Options,
): Promise<number> {
  const room = options.allocate === true ? 'allocated' : 'sparse';
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const act = () => block.createImage({ file: pathOn(runtime, file), size, room });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return dryRun(runtime, bofh, act);
  }
  const made = await logged(runtime, bofh.host, () => withBofh(bofh, act));
  progress.end();
  const data: BlockImageCreate = { ...made, room };
  give(runtime, { data, lines: [`${printable(made.file)} is made: ${formatSize(made.size)}, ${room}`] });
  return 0;
}
