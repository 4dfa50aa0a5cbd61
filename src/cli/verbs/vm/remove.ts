import { present } from '../../../core/present.ts';
import type { Members } from '../../../replica/hosts.ts';
import { type RemovePlan, removeVm, planRemove } from '../../../vm/remove.ts';
import { membersOfGuest } from '../../../vm/replicas.ts';
import { checkRemove } from '../../../vm/request.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmRemove } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { parseDuration } from '../../runtime/settings.ts';
import { flag, one, value, verb } from '../../runtime/verb.ts';
import { twoHosts } from '../drbd/plan.ts';
import { changeByPlan } from '../drbd/recipe.ts';

export default verb({
  changes: true,
  answers: 'vm remove',
  args: { name: ['<name>', 'name of the guest'] },
  options: {
    stop: flag('shut it down first if it is running'),
    time: value('<DURATION>', 'longest time for the shutdown of the guest (default: 2m)', {
      read: parseDuration,
    }),
    forceOff: flag('power it off hard first if it is running', { conflicts: ['stop'] }),
    keepDisk: value(
      '<DISK>',
      'keep this disk: its name in the guest, such as xvdc, or the name that it got in vm create',
      {
        read: one,
      },
    ),
    keepReplicas: flag('keep replicated disks on both hosts'),
    on: value(
      '<HOST,HOST>',
      'the two hosts of its replicated disks, if ssh knows them by other names than the configuration',
      { read: twoHosts },
    ),
  },
  examples: ['--dry-run vm remove web1', 'vm remove web1 --stop', 'vm remove web1 --keep-disk data'],
  run: (runtime, { name, stop, time, forceOff, keepDisk: keepDisks, keepReplicas, on: typedHosts }) => {
    const running = forceOff ? 'destroy' : stop ? 'shutdown' : 'refuse';
    const kept = keepReplicas ? 'kept' : undefined;
    const { replicas, on, ...request } = checkRemove({
      ...{ name, running },
      ...present({ timeoutMs: time, replicas: kept, on: typedHosts, keepDisks }),
    });
    return changeByPlan(runtime, {
      name,
      members: async ({ site, engine }): Promise<Members | undefined> =>
        replicas === 'kept' ? undefined : membersOfGuest(engine, { name, site, ...present({ on }) }),
      plan: (members, { host, site }) => planRemove({ host, site, ...request, members }),
      asks: questionLines,
      act: (tx, engine, plan) => removeVm(tx, plan, engine),
      answer: (plan): Answer<VmRemove> => {
        const data = answerOf(plan);
        return { data, lines: inWords(data) };
      },
    });
  },
});

function answerOf({ name, config, volumes, replicas, kept, keptDisks }: RemovePlan): VmRemove {
  const peer = replicas?.peer;
  return {
    ...{ name, config, kept: [...kept], keptDisks: [...keptDisks] },
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

const endings = { shutdown: 'will be shut down', destroy: 'will be powered off hard' } as const;

function questionLines(plan: RemovePlan): readonly string[] {
  const { volumes, replicas, peer } = answerOf(plan);
  return [
    `The guest ${plan.name} will be removed. When this has completed, it cannot be undone:`,
    ...(plan.domain === undefined ? [] : [`  its domain ${endings[plan.domain.how]}`]),
    `  its configuration ${printable(plan.config)}`,
    ...(peer === null ? [] : [`  its configuration ${printable(peer.config)} on ${peer.name}`]),
    ...replicas.flatMap(({ resource, hosts }) => [
      `  the DRBD resource ${resource} on ${hosts.map((each) => each.name).join(' and ')}`,
      ...hosts.flatMap(({ name, volumes: its, kept }) => [
        ...its.map((volume) => `  the logical volume ${volume} on ${name} and all data on it`),
        ...kept.map((path) => `  (left untouched on ${name}: ${printable(path)})`),
      ]),
    ]),
    ...volumes.map((volume) => `  the logical volume ${volume} and all data on it`),
    ...plan.kept.map((disk) => `  (${keptInWords(disk)})`),
    ...plan.keptDisks.map((disk) => `  (stays: ${printable(disk)})`),
  ];
}

function inWords({ name, config, volumes, replicas, peer, kept, keptDisks }: VmRemove): readonly string[] {
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
    ...keptDisks.map((disk) => `${printable(disk)} stays`),
  ];
}

function keptInWords(disk: string): string {
  if (!/^\/dev\/drbd/.test(disk))
    return `left untouched, because it is not a logical volume: ${printable(disk)}`;
  return `left untouched on both hosts, because it is replicated: ${printable(disk)}; see its resource: bofh drbd list; then: bofh drbd demote RESOURCE; bofh drbd remove RESOURCE`;
}
