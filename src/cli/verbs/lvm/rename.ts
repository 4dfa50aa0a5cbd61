import * as lvm from '../../../api/lvm.ts';
import type { Bofh } from '../../../connect.ts';
import { UsageError } from '../../../core/errors.ts';
import { dmName } from '../../../lvm/names.ts';
import type { Answer } from '../../output/answer.ts';
import type { LvmRename } from '../../output/answers/index.ts';
import { change, plan } from '../../runtime/change.ts';
import { type Naming, namingInWords, whoNames } from './named-in.ts';
import { verb } from '../../runtime/verb.ts';
import { type Volume, volumeOf } from './volume.ts';

/** Reports which files still name the old path; edits none. */
export default verb({
  changes: true,
  answers: 'lvm rename',
  args: {
    volume: ['<vg/name>', 'logical volume, for example vg0/web1'],
    to: ['<to>', 'new name, without the volume group'],
  },
  examples: ['lvm rename vg0/web1 web2'],
  run: (runtime, { volume, to }) => {
    const asked = { ...volumeOf(volume), to };
    if (to.startsWith(`${asked.vg}/`))
      throw new UsageError(`"${to}": the new name is without the volume group`, {
        remedy: `bofh lvm rename ${volume} ${to.slice(asked.vg.length + 1)}`,
      });
    const look = async (bofh: Bofh) => {
      const found = await whoNames(bofh, pathsOf(asked));
      const act = () => lvm.renameLv(asked);
      if (runtime.settings.mode === 'plan') return () => plan(runtime, bofh, act, inWords(found, asked));
      return {
        act,
        answer: ({ vg, name, uuid, path }: Awaited<ReturnType<typeof act>>): Answer<LvmRename> => ({
          data: { volume: `${vg}/${name}`, was: volume, uuid, path, ...found },
          lines: [`${volume} is renamed to ${vg}/${name}`, ...inWords(found, asked)],
        }),
      };
    };
    return change(runtime, look, { site: 'used' });
  },
});

/** Returns a function that tests whether a path is one of the two paths of the volume. */
function pathsOf({ vg, name }: Volume): (path: string) => boolean {
  const paths = new Set([`/dev/${vg}/${name}`, `/dev/mapper/${dmName(vg, name)}`]);
  return (path) => paths.has(path);
}

function inWords(found: Naming, { vg, to }: { readonly vg: string; readonly to: string }): readonly string[] {
  return namingInWords(found, () => `/dev/${vg}/${to}`);
}
