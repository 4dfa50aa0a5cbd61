import { growReplica, planGrow } from '../../../replica/grow.ts';
import type { Member } from '../../../replica/hosts.ts';
import { membersOf, ownMember } from '../../../replica/known.ts';
import { planRemove, type RemovePlan, removeReplica } from '../../../replica/remove.ts';
import { checkDemote, checkGrow, checkPromote, checkRemove } from '../../../replica/request.ts';
import { changeRole, membersToPromote, planDemote, planPromote } from '../../../replica/role.ts';
import { formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdGrow, DrbdRemove, DrbdRoles } from '../../output/answers/index.ts';
import type { Options } from '../../runtime/options.ts';
import { changed } from './changed.ts';
import { twoHosts } from './plan.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { parseDuration } from '../../runtime/settings.ts';
import { sizeAmong } from '../../runtime/sizes.ts';
import { printable } from '../../output/text.ts';

/** `bofh drbd remove NAME` */
export async function remove(runtime: Runtime, name: string, options: Options): Promise<number> {
  const request = checkRemove({
    ...{ name, ...hostsOf(options) },
    ...(options['here'] === true ? { hosts: 'this' } : {}),
    ...(options['keepVolumes'] === true || options['keepVolume'] === true ? { volumes: 'kept' } : {}),
    ...(typeof options['keepOn'] === 'string' ? { keepOn: options['keepOn'] } : {}),
  });
  return changed(runtime, {
    ...{ verb: 'drbd remove', name },
    members: async (bofh): Promise<readonly Member[]> =>
      request.hosts === 'this' ? ownMember(bofh.engine) : membersOf(bofh.engine, request),
    plan: (members) => planRemove({ ...request, members }),
    asks: removalInWords,
    act: removeReplica,
    answer: removed,
  });
}

function removed({ name, hosts: all }: RemovePlan): Answer<DrbdRemove> {
  const hosts = all.map((each) => ({
    name: each.name,
    volumes: each.volumes.map((lv) => `${lv.vg}/${lv.name}`),
    kept: [...each.kept],
    plain: each.wiped.map(({ disk }) => disk),
  }));
  const lines = hosts.map(
    ({ name: at, volumes, kept, plain }) =>
      `  ${at}: ${[...volumes, ...kept.map((path) => stays(path, plain))].join(', ')}`,
  );
  return { data: { resource: name, hosts }, lines: [`${name} is removed`, ...lines] };
}

function stays(path: string, plain: readonly string[]): string {
  return plain.includes(path)
    ? `${printable(path)} stays, with its data and without metadata: it is used by this name again`
    : `${printable(path)} stays`;
}

function removalInWords({ name, hosts }: RemovePlan): readonly string[] {
  return [
    `The DRBD resource ${name} is removed, and this cannot be undone once it is done:`,
    ...hosts.flatMap(({ name: at, volumes, kept, wiped }) => [
      `  its configuration on ${at}`,
      ...wiped.map(({ disk }) => `  its metadata on ${printable(disk)} on ${at}; the data stay`),
      ...volumes.map((lv) => `  the logical volume ${lv.vg}/${lv.name} on ${at} and all that is on it`),
      ...kept.map((path) => `  (left as it is on ${at}: ${printable(path)})`),
    ]),
  ];
}

/** `bofh drbd promote NAME` */
export async function promote(runtime: Runtime, name: string, options: Options): Promise<number> {
  const { to, time } = options;
  const request = checkPromote({
    ...{ name, ...hostsOf(options) },
    ...(typeof to === 'string' ? { to } : {}),
    ...(typeof time === 'string' ? { limitMs: parseDuration(time) } : {}),
  });
  return changed(runtime, {
    ...{ verb: 'drbd promote', name },
    members: (bofh) => membersToPromote(bofh.engine, request),
    plan: async (members, bofh) =>
      planPromote({ ...request, members, to: request.to ?? (await bofh.host.facts()).hostname }),
    act: changeRole,
    answer: ({ to: now, from: was }): Answer<DrbdRoles> => ({
      data: { resource: name, primary: now?.name ?? null, before: was?.name ?? null },
      lines: [
        `${name} is primary on ${now?.name ?? ''}${was === undefined ? '' : `, and secondary on ${was.name}`}`,
      ],
    }),
  });
}

/** `bofh drbd demote NAME` */
export async function demote(runtime: Runtime, name: string, options: Options): Promise<number> {
  const request = checkDemote({ name, ...hostsOf(options) });
  return changed(runtime, {
    ...{ verb: 'drbd demote', name },
    members: (bofh) => membersOf(bofh.engine, request),
    plan: (members) => planDemote({ ...request, members }),
    act: changeRole,
    answer: ({ from }): Answer<DrbdRoles> => ({
      data: { resource: name, primary: null, before: from?.name ?? null },
      lines: [`${name} is secondary on ${from?.name ?? ''}, and primary nowhere`],
    }),
  });
}

/** `bofh drbd grow NAME SIZE|+SIZE|max` */
export async function grow(
  runtime: Runtime,
  { name, size }: { readonly name: string; readonly size: string },
  options: Options,
): Promise<number> {
  if (size !== 'max') sizeAmong(size.replace(/^\+/, ''), '20g, +5g or max');
  const request = checkGrow({ name, size, ...hostsOf(options) });
  return changed(runtime, {
    ...{ verb: 'drbd grow', name },
    members: (bofh) => membersOf(bofh.engine, request),
    plan: (members) => planGrow({ ...request, members }),
    act: growReplica,
    answer: ({ from, to }): Answer<DrbdGrow> => ({
      data: { resource: name, from, to },
      lines: [
        `${name} has grown from ${formatSize(from)} to ${formatSize(to)} on both hosts; what lies on it has not (bofh block resize of its device grows both)`,
      ],
    }),
  });
}

function hostsOf({ on }: Options): { readonly on?: readonly [string, string] } {
  return typeof on === 'string' ? { on: twoHosts(on) } : {};
}
