import type { Member } from '../../../replica/hosts.ts';
import { type ReplacedPeer, replacePeer as act } from '../../../replica/replace.ts';
import { membersOfReplacement, planReplace, type ReplacePlan } from '../../../replica/replace-plan.ts';
import { checkReplace, type CheckedReplace } from '../../../replica/request.ts';
import { formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdReplacePeer } from '../../output/answers/index.ts';
import { defined, type Options, saidIn, wholeIn } from '../../runtime/options.ts';
import { changed } from './changed.ts';
import { addressesIn } from './plan.ts';
import { warnOfVersions } from './versions.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { printable } from '../../output/text.ts';

/** `bofh drbd replace-peer NAME --to HOST` */
export async function replacePeer(runtime: Runtime, name: string, options: Options): Promise<number> {
  const request = requestOf(name, options);
  return changed(runtime, {
    ...{ verb: 'drbd replace-peer', name },
    members: async (bofh) => {
      const members = await membersOfReplacement(bofh.engine, request);
      const [own, to] = members;
      await warnOfVersions(runtime, [own, to]);
      return members;
    },
    plan: (members) => planReplace({ members, request }),
    asks: inQuestion,
    act,
    answer: replaced,
  });
}

function replaced({ own }: ReplacePlan, made: ReplacedPeer): Answer<DrbdReplacePeer> {
  const { name: resource, from, hosts, ...rest } = made;
  const data = {
    ...{ resource, ...rest, hosts: [...hosts] },
    from: {
      ...{ name: from.name, end: from.end, volumes: [...from.volumes], kept: [...from.kept] },
      clear: from.clear ?? null,
    },
  };
  return { data, lines: inWords(data, own) };
}

function inQuestion({ config: { name }, own, to, from }: ReplacePlan): readonly string[] {
  const [gone] = from.removal?.hosts ?? [];
  return [
    `The peer of the DRBD resource ${name} is no more ${from.name} but ${to.name}, and this cannot be undone once it is done:`,
    ...(gone === undefined
      ? [`  ${from.name} is taken for lost: what it has of ${name} that ${own.name} has not is given up`]
      : [
          `  its configuration on ${gone.name} is removed`,
          ...gone.volumes.map(
            (lv) =>
              `  the logical volume ${lv.vg}/${lv.name} on ${gone.name} is removed, and all that is on it`,
          ),
          ...gone.kept.map((path) => `  (left as it is on ${gone.name}: ${printable(path)})`),
        ]),
    `  until ${to.name} has fetched all of it, the data are on ${own.name} alone`,
  ];
}

function inWords(
  { resource, device, size, from, to, hosts }: DrbdReplacePeer,
  own: Pick<Member, 'name'>,
): readonly string[] {
  const went = [...from.volumes, ...from.kept.map((path) => `${printable(path)} stays`)].join(', ');
  return [
    `the peer of ${resource} (${device}, ${formatSize(size)}) is ${to}, which fetches all of it from ${own.name}: bofh drbd wait-sync ${resource}`,
    ...hosts.map((each) => `  ${each.name}: on ${each.disk}, ${each.address} port ${String(each.port)}`),
    from.clear === null
      ? `  ${from.name}: ${from.end === 'lost' ? 'it was installed anew' : `removed: ${went}`}`
      : `  ${from.name}: lost; should it come back, it still has ${resource} and ${went.replace(/ stays$/, '')}: there, before it is used: ${from.clear}`,
  ];
}

/** What was typed, as a request. Throws UsageError for what cannot be meant. */
function requestOf(name: string, options: Options): CheckedReplace {
  const said = saidIn(options);
  const address = said('address');
  const all = {
    ...{ name, to: said('to'), from: said('from'), vg: said('vg') },
    old: options['lost'] === true ? 'lost' : undefined,
    volumes: options['keepVolumes'] === true || options['keepVolume'] === true ? 'kept' : undefined,
    addresses: address === undefined ? undefined : addressesIn(address),
    port: wholeIn(said)('port'),
  };
  return checkReplace(defined(all));
}
