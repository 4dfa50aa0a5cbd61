import { growReplica, planGrow } from '../replica/grow.ts';
import type { Member } from '../replica/hosts.ts';
import { membersOf, ownMember } from '../replica/known.ts';
import { planRemove, type RemovePlan, removeReplica } from '../replica/remove.ts';
import { checkDemote, checkGrow, checkPromote, checkRemove } from '../replica/request.ts';
import { changeRole, membersToPromote, planDemote, planPromote } from '../replica/role.ts';
import { formatSize } from '../units.ts';
import { give } from './answer.ts';
import type { DrbdGrow, DrbdRemove, DrbdRoles } from './answers/index.ts';
import type { Options } from './options.ts';
import { changed } from './replica-changed.ts';
import { twoHosts } from './replica-plan.ts';
import type { Runtime } from './runtime.ts';
import { parseDuration } from './settings.ts';
import { sizeAmong } from './sizes.ts';
import { printable } from './text.ts';

/** `bofh drbd remove NAME` */
export async function remove(runtime: Runtime, name: string, options: Options): Promise<number> {
  const request = checkRemove({
    ...{ name, ...hostsOf(options) },
    ...(options['here'] === true ? { hosts: 'this' } : {}),
    ...(options['keepVolumes'] === true || options['keepVolume'] === true ? { volumes: 'kept' } : {}),
    ...(typeof options['keepOn'] === 'string' ? { keepOn: options['keepOn'] } : {}),
  });
  const plan = await changed(runtime, {
    verb: `drbd remove ${name}`,
    members: async (bofh): Promise<readonly Member[]> =>
      request.hosts === 'this' ? ownMember(bofh.engine) : membersOf(bofh.engine, request),
    plan: (members) => planRemove({ ...request, members }),
    asks: removalInWords,
    act: removeReplica,
  });
  if (plan === undefined) return 0;
  const data: DrbdRemove = {
    resource: name,
    hosts: plan.hosts.map((each) => ({
      name: each.name,
      volumes: each.volumes.map((lv) => `${lv.vg}/${lv.name}`),
      kept: [...each.kept],
      plain: each.wiped.map(({ disk }) => disk),
    })),
  };
  const lines = data.hosts.map(
    ({ name: at, volumes, kept, plain }) =>
      `  ${at}: ${[...volumes, ...kept.map((path) => stays(path, plain))].join(', ')}`,
  );
  give(runtime, { data, lines: [`${name} is removed`, ...lines] });
  return 0;
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
  const plan = await changed(runtime, {
    verb: `drbd promote ${name}`,
    members: (bofh) => membersToPromote(bofh.engine, request),
    plan: async (members, bofh) =>
      planPromote({ ...request, members, to: request.to ?? (await bofh.host.facts()).hostname }),
    act: changeRole,
  });
  if (plan === undefined) return 0;
  const data: DrbdRoles = { resource: name, primary: plan.to?.name ?? null, before: plan.from?.name ?? null };
  const before = data.before === null ? '' : `, and secondary on ${data.before}`;
  give(runtime, { data, lines: [`${name} is primary on ${data.primary ?? ''}${before}`] });
  return 0;
}

/** `bofh drbd demote NAME` */
export async function demote(runtime: Runtime, name: string, options: Options): Promise<number> {
  const request = checkDemote({ name, ...hostsOf(options) });
  const plan = await changed(runtime, {
    verb: `drbd demote ${name}`,
    members: (bofh) => membersOf(bofh.engine, request),
    plan: (members) => planDemote({ ...request, members }),
    act: changeRole,
  });
  if (plan === undefined) return 0;
  const data: DrbdRoles = { resource: name, primary: null, before: plan.from?.name ?? null };
  give(runtime, { data, lines: [`${name} is secondary on ${data.before ?? ''}, and primary nowhere`] });
  return 0;
}

/** `bofh drbd grow NAME SIZE|+SIZE|max` */
export async function grow(
  runtime: Runtime,
  { name, size }: { readonly name: string; readonly size: string },
  options: Options,
): Promise<number> {
  if (size !== 'max') sizeAmong(size.replace(/^\+/, ''), '20g, +5g or max');
  const request = checkGrow({ name, size, ...hostsOf(options) });
  const plan = await changed(runtime, {
    verb: `drbd grow ${name}`,
    members: (bofh) => membersOf(bofh.engine, request),
    plan: (members) => planGrow({ ...request, members }),
    act: growReplica,
  });
  if (plan === undefined) return 0;
  const data: DrbdGrow = { resource: name, from: plan.from, to: plan.to };
  give(runtime, {
    data,
    lines: [
      `${name} has grown from ${formatSize(plan.from)} to ${formatSize(plan.to)} on both hosts; what lies on it has not (bofh block resize of its device grows both)`,
    ],
  });
  return 0;
}

function hostsOf({ on }: Options): { readonly on?: readonly [string, string] } {
  return typeof on === 'string' ? { on: twoHosts(on) } : {};
}
