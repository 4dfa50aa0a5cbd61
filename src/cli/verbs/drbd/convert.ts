import { posix } from 'node:path';
import { atomic } from '../../../bofh.ts';
import { dmName } from '../../../lvm/names.ts';
import {
  type ConvertedReplica,
  convertReplica,
  membersOfConversion,
  planConvert,
} from '../../../replica/convert.ts';
import type { Members } from '../../../replica/hosts.ts';
import { checkConvert, type CheckedConvert } from '../../../replica/request.ts';
import { formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdConvert } from '../../output/answers/index.ts';
import { namingInWords, whoNames } from '../lvm/named-in.ts';
import { defined, type Options, saidIn, wholeIn } from '../../runtime/options.ts';
import { made } from './changed.ts';
import { addressesIn } from './plan.ts';
import { warnOfVersions } from './versions.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { untilInterrupted } from '../../runtime/session.ts';
import { volumeOf } from '../lvm/volume.ts';

/** `bofh drbd convert VG/LV --to HOST`: says which files still name the volume; it edits none. */
export async function convert(runtime: Runtime, volume: string, options: Options): Promise<number> {
  const request = requestOf(volume, options);
  const { vg, lv } = request;
  const paths = new Set([`/dev/${vg}/${lv}`, `/dev/mapper/${dmName(vg, lv)}`]);
  return made<Members, ConvertedReplica>(runtime, async (bofh) => {
    const own = bofh.engine.host.name;
    const both = await membersOfConversion(bofh.engine, request);
    await warnOfVersions(runtime, both);
    const names = await whoNames(bofh, (path) => paths.has(posix.normalize(path)));
    return {
      members: both,
      act: async ({ engine }, members) => {
        const plan = await untilInterrupted(runtime, planConvert({ members, own, request }));
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
}

function inWords({ name, device, was, size, from, hosts }: ConvertedReplica): readonly string[] {
  return [
    `${was} is ${device} now (${formatSize(size)}), and used by that name alone: on ${from}, bofh drbd primary ${name}`,
    `its data are sent to the other host: bofh drbd wait-sync ${name}`,
    ...hosts.map((each) => `  ${each.name}: on ${each.lv}, ${each.address} port ${String(each.port)}`),
  ];
}

/** What was typed, as a request. Throws UsageError for what cannot be meant. */
function requestOf(volume: string, options: Options): CheckedConvert {
  const { vg, name: lv } = volumeOf(volume);
  const said = saidIn(options);
  const number = wholeIn(said);
  const address = said('address');
  const all = {
    ...{ vg, lv, to: said('to'), name: said('name'), peerVg: said('vg'), protocol: said('protocol') },
    addresses: address === undefined ? undefined : addressesIn(address),
    ...{ port: number('port'), minor: number('minor') },
  };
  return checkConvert(defined(all));
}
