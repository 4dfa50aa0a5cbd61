import { posix } from 'node:path';
import * as lvm from '../../../../api/lvm.ts';
import type { Bofh } from '../../../../connect.ts';
import type { Answer } from '../../../output/answer.ts';
import type { LvmVgRename } from '../../../output/answers/index.ts';
import { change, plan } from '../../../runtime/change.ts';
import { verb } from '../../../runtime/verb.ts';
import { namingInWords, whoNames } from '../named-in.ts';

/** Reports which files still name a volume of the group by the old path; edits none. */
export default verb({
  changes: true,
  answers: 'lvm vg rename',
  args: { vg: ['<name>', 'name of the volume group'], to: ['<to>', 'new name'] },
  examples: ['lvm vg rename vg0 vg1'],
  run: (runtime, { vg, to }) => {
    const asked = { vg, to };
    const look = async (bofh: Bofh) => {
      const found = await whoNames(bofh, (path) => renamed(path, asked) !== undefined);
      const said = namingInWords(found, (path) => renamed(path, asked) ?? path);
      const act = () => lvm.renameVg(asked);
      if (runtime.settings.mode === 'plan') return () => plan(runtime, bofh, act, said);
      return {
        act,
        answer: ({ name, uuid }: Awaited<ReturnType<typeof act>>): Answer<LvmVgRename> => ({
          data: { group: name, was: vg, uuid, ...found },
          lines: [`the volume group ${vg} is renamed to ${name}`, ...said],
        }),
      };
    };
    return change(runtime, look, { site: 'used' });
  },
});

/** The new path of a volume of the group; undefined for any other path. */
function renamed(path: string, { vg, to }: { readonly vg: string; readonly to: string }): string | undefined {
  const whole = posix.normalize(path);
  const ways = [
    [`/dev/${vg}/`, `/dev/${to}/`],
    [`/dev/mapper/${vg.replaceAll('-', '--')}-`, `/dev/mapper/${to.replaceAll('-', '--')}-`],
  ] as const;
  for (const [old, now] of ways) {
    const rest = whole.startsWith(old) ? whole.slice(old.length) : '';
    // In a device-mapper name, a doubled hyphen is part of the name of another group.
    if (rest !== '' && !rest.startsWith('-')) return `${now}${rest}`;
  }
  return undefined;
}
