import { present } from '../../../core/present.ts';
import { formatSize } from '../../../core/units.ts';
import type { Member } from '../../../replica/hosts.ts';
import { type ReplacedPeer, replacePeer } from '../../../replica/replace.ts';
import { membersOfReplacement, planReplace, type ReplacePlan } from '../../../replica/replace-plan.ts';
import { checkReplace } from '../../../replica/request.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdReplacePeer } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { flag, value, verb, wholeNumber } from '../../runtime/verb.ts';
import { address, keepVolume } from './options.ts';
import { changeByPlan } from './recipe.ts';
import { warnOfVersions } from './versions.ts';

export default verb({
  changes: true,
  answers: 'drbd replace-peer',
  args: { name: ['<resource>', 'resource that is up to date on this host'] },
  options: {
    to: value('<HOST>', 'new peer, as ssh or the site file names it', { required: true }),
    from: value('<HOST>', 'old peer, if ssh knows it by another name than the configuration'),
    lost: flag(
      'do not contact the old peer, because it is lost; --to may name the same host after a reinstallation',
    ),
    keepVolumes: flag('keep the logical volume of the old peer, with its metadata'),
    keepVolume,
    vg: value('<NAME>', 'volume group on the new peer (default: the same as here)'),
    address,
    port: value('<N>', 'TCP port (default: the current one, or the lowest free on both hosts, from 7788)', {
      read: wholeNumber,
    }),
  },
  examples: ['drbd replace-peer web1 --to host3', 'drbd replace-peer web1 --to host3 --lost'],
  run: (runtime, { lost, keepVolumes, keepVolume, address: addresses, ...typed }) => {
    const old = lost ? 'lost' : undefined;
    const volumes = keepVolumes || keepVolume ? 'kept' : undefined;
    const request = checkReplace(present({ ...typed, old, volumes, addresses }));
    return changeByPlan(runtime, {
      name: request.name,
      members: async (bofh) => {
        const members = await membersOfReplacement(bofh.engine, request);
        const [own, to] = members;
        await warnOfVersions(runtime, [own, to]);
        return members;
      },
      plan: (members) => planReplace({ members, request }),
      asks: questionLines,
      act: replacePeer,
      answer,
    });
  },
});

function answer({ own }: ReplacePlan, replaced: ReplacedPeer): Answer<DrbdReplacePeer> {
  const { name: resource, from, hosts, ...rest } = replaced;
  const data = {
    ...{ resource, ...rest, hosts: [...hosts] },
    from: {
      ...{ name: from.name, end: from.end, volumes: [...from.volumes], kept: [...from.kept] },
      clear: from.clear ?? null,
    },
  };
  return { data, lines: inWords(data, own) };
}

function questionLines({ config: { name }, own, to, from }: ReplacePlan): readonly string[] {
  const [gone] = from.removal?.hosts ?? [];
  return [
    `The peer of the DRBD resource ${name} will be ${to.name} instead of ${from.name}. When this has completed, it cannot be undone:`,
    ...(gone === undefined
      ? [`  ${from.name} counts as lost: data of ${name} that only ${from.name} has will be discarded`]
      : [
          `  its configuration on ${gone.name} will be removed`,
          ...gone.volumes.map(
            (lv) =>
              `  the logical volume ${lv.vg}/${lv.name} on ${gone.name} will be removed with all data on it`,
          ),
          ...gone.kept.map((path) => `  (left untouched on ${gone.name}: ${printable(path)})`),
        ]),
    `  until the resync to ${to.name} has completed, only ${own.name} has the data`,
  ];
}

function inWords(
  { resource, device, size, from, to, hosts }: DrbdReplacePeer,
  own: Pick<Member, 'name'>,
): readonly string[] {
  const went = [...from.volumes, ...from.kept.map((path) => `${printable(path)} stays`)].join(', ');
  return [
    `the peer of ${resource} (${device}, ${formatSize(size)}) is now ${to}, which resyncs all data from ${own.name}; to wait for that: bofh drbd wait-sync ${resource}`,
    ...hosts.map((each) => `  ${each.name}: on ${each.disk}, ${each.address} port ${String(each.port)}`),
    from.clear === null
      ? `  ${from.name}: ${from.end === 'lost' ? 'it was reinstalled' : `removed: ${went}`}`
      : `  ${from.name}: lost; if it comes back, it still has ${resource} and ${went.replace(/ stays$/, '')}: there, before it is used: ${from.clear}`,
  ];
}
