import { planningResource } from '../../../api/planning.ts';
import { posix } from 'node:path';
import { atomic } from '../../../bofh.ts';
import { present } from '../../../core/present.ts';
import { formatSize } from '../../../core/units.ts';
import { dmName } from '../../../lvm/names.ts';
import {
  type ConvertedReplica,
  convertReplica,
  membersOfConversion,
  planConvert,
} from '../../../replica/convert.ts';
import type { Members } from '../../../replica/hosts.ts';
import { checkConvert } from '../../../replica/request.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdConvert } from '../../output/answers/index.ts';
import { untilInterrupted } from '../../runtime/session.ts';
import { value, verb } from '../../runtime/verb.ts';
import { namingInWords, whoNames } from '../lvm/named-in.ts';
import { volumeOf } from '../lvm/volume.ts';
import { address, minor, port, protocol } from './options.ts';
import { changeUnasked } from './recipe.ts';
import { warnOfVersions } from './versions.ts';

/** Reports which files still name the volume, and edits none of them. */
export default verb({
  changes: true,
  answers: 'drbd convert',
  args: { volume: ['<vg/lv>', 'unused volume of this host'] },
  options: {
    to: value('<HOST>', 'peer, as ssh or the site file names it', { required: true }),
    name: value('<NAME>', 'name of the resource (default: name of the volume)'),
    vg: value('<NAME>', 'volume group on the peer (default: the same as here)'),
    address,
    port,
    minor,
    protocol,
  },
  examples: ['drbd convert vg0/web1 --to host2'],
  run: (runtime, { volume, vg: peerVg, address: addresses, ...typed }) => {
    const { vg, name: lv } = volumeOf(volume);
    const request = checkConvert(present({ ...typed, vg, lv, peerVg, addresses }));
    const paths = new Set([`/dev/${vg}/${lv}`, `/dev/mapper/${dmName(vg, lv)}`]);
    return changeUnasked<Members, ConvertedReplica, DrbdConvert>(runtime, async (bofh) => {
      const own = bofh.engine.host.name;
      const both = await membersOfConversion(bofh.engine, request);
      await warnOfVersions(runtime, both);
      const names = await whoNames(bofh, (path) => paths.has(posix.normalize(path)));
      return {
        members: both,
        act: async ({ engine }, members) => {
          const planned = planningResource('drbd.convert', request.name ?? lv, () =>
            planConvert({ members, own, request }),
          );
          const plan = await untilInterrupted(runtime, planned);
          return await atomic(`drbd convert ${volume}`, (tx) => convertReplica(tx, engine, plan));
        },
        answer: (converted): Answer<DrbdConvert> => {
          const { name, hosts, ...rest } = converted;
          return {
            data: { resource: name, ...rest, hosts: [...hosts], ...names },
            lines: [...inWords(converted), ...namingInWords(names, () => converted.device)],
          };
        },
      };
    });
  },
});

function inWords({ name, device, was, size, from, hosts }: ConvertedReplica): readonly string[] {
  return [
    `${was} is replicated as ${device} (${formatSize(size)}): use only this device; to use it, on ${from}: bofh drbd primary ${name}`,
    `its data is being sent to the other host; to wait for that: bofh drbd wait-sync ${name}`,
    ...hosts.map((each) => `  ${each.name}: on ${each.lv}, ${each.address} port ${String(each.port)}`),
  ];
}
