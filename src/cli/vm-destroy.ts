import { atomic, type Bofh, withBofh } from '../bofh.ts';
import { RefusedError } from '../errors.ts';
import type { Members } from '../replica/hosts.ts';
import { type DestroyPlan, destroyVm, planDestroy } from '../vm/destroy.ts';
import { membersOfGuest } from '../vm/replicas.ts';
import { checkDestroy } from '../vm/request.ts';
import { give } from './answer.ts';
import type { VmDestroy } from './answers/index.ts';
import { confirm } from './confirm.ts';
import type { Options } from './options.ts';
import { planned, twoHosts } from './replica-plan.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';
import { printable } from './text.ts';

/** `bofh vm destroy NAME` */
export async function destroy(runtime: Runtime, name: string, options: Options): Promise<number> {
  const { replicas, on, ...request } = requestOf(name, options);
  const { bofh, progress } = await openSession(runtime, { site: 'used', root: 'needed' });
  const { host, site, engine } = bofh;
  const which = { name, site, ...(on === undefined ? {} : { on }) };
  const hosts =
    replicas === 'kept' ? undefined : await untilInterrupted(runtime, membersOfGuest(engine, which));
  const planFor = (at: Bofh, members: Members | undefined): Promise<DestroyPlan> =>
    planDestroy({ host: at.host, site, ...request, members });
  if (runtime.settings.mode === 'plan') {
    const act = async (simulated: Bofh, members: Members | undefined): Promise<void> => {
      const plan = await planFor(simulated, members);
      await atomic(`vm destroy ${name}`, (tx) => destroyVm(tx, plan, simulated.engine));
    };
    if (hosts !== undefined) return await planned(runtime, { bofh, members: hosts }, act);
    return await (await import('./plan.ts')).dryRun(runtime, bofh, (simulated) => act(simulated, undefined));
  }
  const look = (): Promise<DestroyPlan> => untilInterrupted(runtime, planFor(bofh, hosts));
  const plan = await look();
  await confirm(runtime, inQuestion(plan));
  // The question may have stood for long: what is destroyed is what was agreed to.
  if (JSON.stringify(await look()) !== JSON.stringify(plan))
    throw new RefusedError(`${name} has changed since it was looked at: nothing was done`, {
      remedy: 'look at it and give the command again',
    });
  await logged(runtime, host, () =>
    withBofh(bofh, () => atomic(`vm destroy ${name}`, (tx) => destroyVm(tx, plan, engine))),
  );
  progress.end();
  const data = answerOf(plan);
  give(runtime, { data, lines: inWords(data) });
  return 0;
}

function requestOf(name: string, options: Options): ReturnType<typeof checkDestroy> {
  const { on } = options;
  return checkDestroy({
    name,
    running: options['forceOff'] === true ? 'destroy' : options['stop'] === true ? 'shutdown' : 'refuse',
    ...(options['keepReplicas'] === true ? { replicas: 'kept' } : {}),
    ...(typeof on === 'string' ? { on: twoHosts(on) } : {}),
  });
}

function answerOf({ name, config, volumes, replicas, kept }: DestroyPlan): VmDestroy {
  const peer = replicas?.peer;
  return {
    ...{ name, config, kept: [...kept] },
    volumes: volumes.map((volume) => `${volume.vg}/${volume.name}`),
    replicas: (replicas?.removals ?? []).map((each) => ({
      resource: each.name,
      hosts: each.hosts.map((at) => ({
        ...{ name: at.name, kept: [...at.kept] },
        volumes: at.volumes.map((volume) => `${volume.vg}/${volume.name}`),
      })),
    })),
    peer: peer === undefined ? null : { name: peer.name, config: peer.config },
  };
}

const endings = { shutdown: 'is shut down', destroy: 'is destroyed as it runs' } as const;

function inQuestion(plan: DestroyPlan): readonly string[] {
  const { volumes, replicas, peer } = answerOf(plan);
  return [
    `The guest ${plan.name} is removed, and this cannot be undone once it is done:`,
    ...(plan.domain === undefined ? [] : [`  its domain ${endings[plan.domain.how]}`]),
    `  its configuration ${printable(plan.config)}`,
    ...(peer === null ? [] : [`  its configuration ${printable(peer.config)} on ${peer.name}`]),
    ...replicas.flatMap(({ resource, hosts }) => [
      `  the DRBD resource ${resource} on ${hosts.map((each) => each.name).join(' and ')}`,
      ...hosts.flatMap(({ name, volumes: its, kept }) => [
        ...its.map((volume) => `  the logical volume ${volume} on ${name} and all that is on it`),
        ...kept.map((path) => `  (left as it is on ${name}: ${printable(path)})`),
      ]),
    ]),
    ...volumes.map((volume) => `  the logical volume ${volume} and all that is on it`),
    ...plan.kept.map((disk) => `  (${keptInWords(disk)})`),
  ];
}

function inWords({ name, config, volumes, replicas, peer, kept }: VmDestroy): readonly string[] {
  return [
    `${name} is removed: ${[config, ...volumes].join(', ')}`,
    ...(peer === null ? [] : [`  on ${peer.name}: ${peer.config}`]),
    ...replicas.flatMap(({ resource, hosts }) =>
      hosts.map(
        (each) =>
          `  ${resource} on ${each.name}: ${[...each.volumes, ...each.kept.map((path) => `${printable(path)} stays`)].join(', ')}`,
      ),
    ),
    ...kept.map(keptInWords),
  ];
}

function keptInWords(disk: string): string {
  if (!/^\/dev\/drbd/.test(disk)) return `left as it is, for it is no logical volume: ${printable(disk)}`;
  return `left as it is on both hosts, for another one has it as well: ${printable(disk)}; bofh drbd list names its resource, then: bofh drbd demote RESOURCE; bofh drbd remove RESOURCE`;
}
