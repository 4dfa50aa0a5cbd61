import { posix } from 'node:path';
import * as lvm from '../api/lvm.ts';
import { withBofh } from '../bofh.ts';
import { give } from './answer.ts';
import type { LvmVgRename } from './answers/index.ts';
import { namingInWords, whoNames } from './lvm-naming.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';

/** `bofh lvm vg rename NAME TO`: says which files still name a volume of it by the old path; it edits none. */
export async function rename(runtime: Runtime, vg: string, to: string): Promise<number> {
  const asked = { vg, to };
  const { bofh, progress } = await openSession(runtime, { site: 'used', root: 'needed' });
  const found = await untilInterrupted(
    runtime,
    whoNames(bofh, (path) => renamed(path, asked) !== undefined),
  );
  const said = namingInWords(found, (path) => renamed(path, asked) ?? path);
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    const exitCode = await dryRun(runtime, bofh, () => lvm.renameVg(asked));
    for (const line of said) runtime.terminal.line(`bofh: ${line}`);
    return exitCode;
  }
  const { name, uuid } = await logged(runtime, bofh.host, () => withBofh(bofh, () => lvm.renameVg(asked)));
  progress.end();
  const data: LvmVgRename = { group: name, was: vg, uuid, ...found };
  give(runtime, { data, lines: [`the volume group ${vg} is called ${name} now`, ...said] });
  return 0;
}

/** The path that a volume of the group has afterwards; undefined for a path of anything else. */
function renamed(path: string, { vg, to }: { readonly vg: string; readonly to: string }): string | undefined {
  const whole = posix.normalize(path);
  const ways = [
    [`/dev/${vg}/`, `/dev/${to}/`],
    [`/dev/mapper/${vg.replaceAll('-', '--')}-`, `/dev/mapper/${to.replaceAll('-', '--')}-`],
  ] as const;
  for (const [old, now] of ways) {
    const rest = whole.startsWith(old) ? whole.slice(old.length) : '';
    // In a device-mapper name a doubled hyphen belongs to a longer name of a group.
    if (rest !== '' && !rest.startsWith('-')) return `${now}${rest}`;
  }
  return undefined;
}
