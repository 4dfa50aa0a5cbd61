import { present } from '../../../core/present.ts';
import type { Member } from '../../../replica/hosts.ts';
import { membersOf, ownMember } from '../../../replica/known-resource.ts';
import { planRemove, type RemovePlan, removeReplica } from '../../../replica/remove.ts';
import { checkRemove } from '../../../replica/request.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdRemove } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { flag, value, verb } from '../../runtime/verb.ts';
import { keepVolume, on } from './options.ts';
import { changeByPlan } from './recipe.ts';

export default verb({
  changes: true,
  answers: 'drbd remove',
  args: { name: ['<resource>', 'name of the resource'] },
  options: {
    on,
    keepVolumes: flag('keep its logical volumes, with their metadata'),
    keepVolume,
    keepOn: value('<HOST>', 'keep the data on this host, in a plain volume without metadata'),
    here: flag('only on this host, for example when the peer is lost'),
  },
  examples: ['--dry-run drbd remove web1', 'drbd remove web1 --keep-on host1'],
  run: (runtime, { here, keepVolumes, keepVolume, ...typed }) => {
    const hosts = here ? 'this' : undefined;
    const volumes = keepVolumes || keepVolume ? 'kept' : undefined;
    const request = checkRemove(present({ ...typed, hosts, volumes }));
    return changeByPlan(runtime, {
      name: request.name,
      members: async (bofh): Promise<readonly Member[]> =>
        request.hosts === 'this' ? ownMember(bofh.engine) : membersOf(bofh.engine, request),
      plan: (members) => planRemove({ ...request, members }),
      asks: questionLines,
      act: removeReplica,
      answer,
    });
  },
});

function answer({ name, hosts: all }: RemovePlan): Answer<DrbdRemove> {
  const missing = all.map((each) => each.missing.map((path) => `there was no ${printable(path)}`));
  const hosts = all.map((each) => ({
    name: each.name,
    volumes: each.volumes.map((lv) => `${lv.vg}/${lv.name}`),
    kept: [...each.kept],
    plain: each.wiped.map(({ disk }) => disk),
  }));
  const lines = hosts.map(
    ({ name: at, volumes, kept, plain }, index) =>
      `  ${at}: ${[...volumes, ...kept.map((path) => stays(path, plain)), ...(missing[index] ?? [])].join(', ')}`,
  );
  return { data: { resource: name, hosts }, lines: [`${name} is removed`, ...lines] };
}

function stays(path: string, plain: readonly string[]): string {
  return plain.includes(path)
    ? `${printable(path)} stays, with its data and without metadata: use it under this name again`
    : `${printable(path)} stays`;
}

function questionLines({ name, hosts }: RemovePlan): readonly string[] {
  return [
    `The DRBD resource ${name} will be removed. When this has completed, it cannot be undone:`,
    ...hosts.flatMap(({ name: at, volumes, kept, missing, wiped }) => [
      `  its configuration on ${at}`,
      ...wiped.map(({ disk }) => `  its metadata on ${printable(disk)} on ${at}; the data stays`),
      ...volumes.map((lv) => `  the logical volume ${lv.vg}/${lv.name} on ${at} and all data on it`),
      ...kept.map((path) => `  (left untouched on ${at}: ${printable(path)})`),
      ...missing.map((path) => `  (there is no ${printable(path)} on ${at})`),
    ]),
  ];
}
