import { posix } from 'node:path';
import { atomic, withBofh } from '../bofh.ts';
import { dmName } from '../lvm/names.ts';
import {
  type ConvertedReplica,
  convertReplica,
  membersOfConversion,
  planConvert,
} from '../replica/convert.ts';
import { checkConvert, type CheckedConvert } from '../replica/request.ts';
import { formatSize } from '../units.ts';
import { give } from './answer.ts';
import type { DrbdConvert } from './answers/index.ts';
import { namingInWords, whoNames } from './lvm-naming.ts';
import { defined, type Options, saidIn, wholeIn } from './options.ts';
import { addressesIn, planned } from './replica-plan.ts';
import { warnOfVersions } from './replica-versions.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';
import { volumeOf } from './volume.ts';

/** `bofh drbd convert VG/LV --to HOST`: says which files still name the volume; it edits none. */
export async function convert(runtime: Runtime, volume: string, options: Options): Promise<number> {
  const request = requestOf(volume, options);
  const { vg, lv } = request;
  const { bofh, progress } = await openSession(runtime, { site: 'used', root: 'needed' });
  const { engine } = bofh;
  const own = engine.host.name;
  const members = await untilInterrupted(runtime, membersOfConversion(engine, request));
  await warnOfVersions(runtime, members);
  const paths = new Set([`/dev/${vg}/${lv}`, `/dev/mapper/${dmName(vg, lv)}`]);
  const names = await untilInterrupted(
    runtime,
    whoNames(bofh, (path) => paths.has(posix.normalize(path))),
  );
  if (runtime.settings.mode === 'plan')
    return await planned(runtime, { bofh, members }, async (simulated, again) => {
      const plan = await planConvert({ members: again, own, request });
      await atomic(`drbd convert ${volume}`, (tx) => convertReplica(tx, simulated.engine, plan));
    });
  const made = await logged(runtime, bofh.host, async () => {
    const plan = await untilInterrupted(runtime, planConvert({ members, own, request }));
    return await withBofh(bofh, () =>
      atomic(`drbd convert ${volume}`, (tx) => convertReplica(tx, engine, plan)),
    );
  });
  progress.end();
  const { name, hosts, ...rest } = made;
  const data: DrbdConvert = { resource: name, ...rest, hosts: [...hosts], ...names };
  give(runtime, { data, lines: [...inWords(made), ...namingInWords(names, () => made.device)] });
  return 0;
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
