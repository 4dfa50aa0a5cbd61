import { describe, expect, test } from 'vitest';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { removeVm, planRemove } from '../../../src/vm/remove.ts';
import { bofhOn, hostWithSource, site, vmCreate } from '../simulator/support.ts';
import { sampled } from '../../support/sampled.ts';
import { unnamed } from '../simulator/sweep.ts';
import { type Ending, interfered, linesOnlyIn, moments, recovered, type Then, type Work } from './support.ts';

/** Something that an administrator does by hand, while bofh is at work or has died. */
interface Meddling {
  readonly name: string;
  /** As the real tool would see it. */
  readonly can: (host: SimulatedHost) => boolean;
  readonly act: (host: SimulatedHost) => void;
  /** What is the administrator's from then on: lines of the snapshot that stay as they are. */
  readonly theirs?: RegExp;
  /** bofh must not come to a good end on what is not its own. */
  readonly spoils?: boolean;
  /** What bofh has to say when it undid the rest and left that alone, or is stuck by it. */
  readonly says?: RegExp;
  /** When it is stuck: what a person does before `bofh recover`. Without it there is no way back, and it has to be said. */
  readonly giveWay?: (host: SimulatedHost) => void;
}

const config = '/etc/xen/web1.cfg';
const foreign = '0c0ffee0-0000-4000-8000-00000000000f';
const volume = (host: SimulatedHost) =>
  host.world.lvm.flatMap(({ lvs }) => lvs).find(({ name }) => name === 'web1-root');
const fill = (host: SimulatedHost) =>
  host.world.mounts.find(({ path }) => path.startsWith('/run/bofh/mnt/'))?.path;
const domain = (host: SimulatedHost): boolean => host.world.domains.some(({ name }) => name === 'web1');
/** lvremove refuses what is mounted, or is the disk of a guest. */
const free = (host: SimulatedHost): boolean =>
  volume(host) !== undefined && fill(host) === undefined && !domain(host);
const hasConfig = (host: SimulatedHost): boolean =>
  host.snapshot().includes(`now vda ${JSON.stringify(config)} file`);

const withCreate: readonly Meddling[] = [
  {
    name: 'lvremove',
    can: free,
    act: ({ admin }) => admin.lvremove('vg0', 'web1-root'),
    spoils: true,
  },
  {
    name: 'lvremove, and lvcreate and mkfs of one of their own by that name',
    can: free,
    act: ({ admin }) => {
      admin.lvremove('vg0', 'web1-root');
      admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 5 });
      admin.format('/dev/vg0/web1-root', {
        type: 'ext4',
        usage: 'filesystem',
        uuid: foreign,
        version: '1.0',
      });
    },
    theirs: /^(?:lv|now|durable) vg0\/web1-root(?! holds UUID)/,
    spoils: true,
    says: /vg0\/web1-root \(uuid \S+\) does not have the tag of this step/,
  },
  {
    // Its mark is what makes it ours, and the name is not: it is undone under whatever name.
    name: 'lvrename',
    can: (host) => volume(host) !== undefined,
    act: ({ admin }) => admin.lvrename('vg0', 'web1-root', 'mine'),
  },
  {
    name: 'lvcreate -s',
    can: (host) => volume(host) !== undefined,
    act: ({ admin }) => void admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'web1-root', extents: 2 }),
    theirs: /^(?:lv|now|durable) vg0\/monday/,
    says: /vg0\/monday/,
    giveWay: ({ admin }) => admin.lvremove('vg0', 'monday'),
  },
  {
    name: 'xl destroy',
    can: domain,
    act: ({ admin }) => admin.destroyDomain('web1'),
  },
  {
    name: 'umount',
    can: (host) => fill(host) !== undefined,
    act: (host) => host.admin.umount(fill(host) ?? ''),
  },
  {
    name: 'an edit of the config file in its place',
    can: hasConfig,
    act: ({ admin }) => admin.writeFile(config, '# mine\n'),
    theirs: /^(?:now|durable) vda "\/etc\/xen\/web1\.cfg" /,
    says: /web1\.cfg was (?:edited since and stays|changed by somebody else)/,
  },
  {
    name: 'an edit of the config file by an editor that writes a new one',
    can: hasConfig,
    act: ({ admin }) => {
      admin.removeFile(config);
      admin.writeFile(config, '# mine\n');
    },
    theirs: /^(?:now|durable) vda "\/etc\/xen\/web1\.cfg" /,
    says: /web1\.cfg (?:is another file now and stays|was changed by somebody else)/,
  },
];

const creating: Work = {
  start: hostWithSource,
  run: (host) => vmCreate(bofhOn(host)),
  last: { tool: 'xl', argvIncludes: 'create', mode: 'fails before' },
};

/** The volume of the guest under its tombstone's name. */
const tombstone = (host: SimulatedHost): string | undefined =>
  host.world.lvm
    .flatMap(({ lvs }) => lvs)
    .find(({ name, extents }) => name.startsWith('bofh_gone') && extents === 16)?.name;

const withDestroy: readonly Meddling[] = [
  {
    name: 'lvcreate of one of their own under the name that has become free',
    can: (host) => tombstone(host) !== undefined && volume(host) === undefined,
    act: ({ admin }) => void admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 5 }),
    theirs: /^(?:lv|now|durable) vg0\/(?:web1-root|theirs) (?:.* extents=5 .*|holds blank)$/,
    says: /vg0\/web1-root/,
    giveWay: ({ admin }) => admin.lvrename('vg0', 'web1-root', 'theirs'),
  },
  {
    name: 'lvcreate -s of the volume that waits for its removal',
    can: (host) => tombstone(host) !== undefined,
    act: (host) =>
      void host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: tombstone(host) ?? '', extents: 2 }),
    theirs: /^(?:lv|now|durable) vg0\/monday/,
    // Once the volume has its name back, a snapshot of it blocks nothing.
    giveWay: ({ admin }) => admin.lvremove('vg0', 'monday'),
  },
  {
    name: 'lvrename of the volume that waits for its removal',
    can: (host) => tombstone(host) !== undefined,
    act: (host) => host.admin.lvrename('vg0', tombstone(host) ?? '', 'rescued'),
    theirs: /^(?:lv|now|durable) vg0\/rescued/,
    // It is theirs then, and the guest cannot be started again without it.
    says: /rescued|no disk \/dev\/vg0\/web1-root|failed to stat: \/dev\/vg0\/web1-root/,
  },
  {
    name: 'a new config file under the name that has become free',
    can: (host) => !hasConfig(host),
    act: ({ admin }) => admin.writeFile(config, '# mine\n'),
    theirs: /^(?:now|durable) vda "\/etc\/xen\/web1\.cfg" /,
    says: /web1\.cfg/,
    giveWay: ({ admin }) => admin.removeFile(config),
  },
];

const destroying: Work = {
  start: async () => {
    const host = hostWithSource();
    await vmCreate(bofhOn(host));
    return host;
  },
  run: async (host) => {
    const plan = await planRemove({ host, site, name: 'web1', running: 'destroy' });
    await withBofh(bofhOn(host), () => atomic('vm remove', (tx) => removeVm(tx, plan)));
  },
  last: { tool: 'lvrename', nth: 2, mode: 'fails before' },
};

const sequences = [
  { name: 'vm create', work: creating, meddlings: withCreate },
  { name: 'vm remove', work: destroying, meddlings: withDestroy },
] as const;

describe.each(sequences)(
  '$name against an administrator, between any two lines of its journal',
  { timeout: 300_000 },
  ({ work, meddlings }) => {
    for (const then of ['goes on', 'fails at its last step', 'is killed there and recovered'] as const)
      for (const meddling of meddlings)
        test(`${meddling.name}; then it ${then}: changed objects are left untouched, the rest is undone or completed`, async () => {
          const all = await moments(work, then, meddling.can);
          // What the last step would have made is never there when it fails.
          if (then !== 'fails at its last step') expect(all.length).toBeGreaterThan(0);

          const before = unnamed((await work.start()).snapshot());
          for (const nth of sampled(all, `${meddling.name} ${then}`, 4))
            expect(await wrong(work, meddling, { then, nth, before }), `line ${String(nth)}`).toEqual([]);
        });
  },
);

const bare = unnamed(hostWithSource().snapshot());

/** What is not as it should be after one trial. */
async function wrong(
  work: Work,
  { act, theirs = /^$/, spoils, says, giveWay }: Meddling,
  at: { readonly then: Then; readonly nth: number; readonly before: string },
): Promise<readonly string[]> {
  let made = '';
  const acting = (host: SimulatedHost): void => {
    act(host);
    made = keptOf(host, theirs);
  };
  const first = await interfered(work, { ...at, act: acting });
  const bad = [
    ...(spoils === true && first.end === 'done' && at.then === 'goes on'
      ? ['done on what is not its own']
      : []),
    ...linesOnlyIn(bare, unnamed(first.host.snapshot())).map((line) => `lost: ${line}`),
    ...(keptOf(first.host, theirs) === made ? [] : [`touched: ${made} is now ${keptOf(first.host, theirs)}`]),
    ...(first.end === 'done' || says === undefined || says.test(first.said)
      ? []
      : [`not said: ${first.said}`]),
  ];
  if (first.end !== 'stuck') return [...bad, ...difference(first, at.before, theirs)];
  if (giveWay === undefined) return says === undefined ? [...bad, `stuck: ${first.said}`] : bad;
  giveWay(first.host);
  const second = await recovered(first.host.restart());
  return [...bad, ...difference(second, at.before, theirs)];
}

/** Against the start when all is undone; when all is done, no more than the guest itself may be new. */
function difference({ host, end, said }: Ending, before: string, theirs: RegExp): readonly string[] {
  const now = unnamed(host.snapshot());
  if (end === 'stuck') return [`still stuck: ${said}`];
  const from = end === 'done' && before !== bare ? bare : before;
  const left = end === 'done' && before === bare ? [] : linesOnlyIn(now, from);
  const lost = end === 'done' ? [] : linesOnlyIn(before, now);
  return [
    ...left.filter((line) => !theirs.test(line)).map((line) => `left over: ${line}`),
    ...lost.filter((line) => !theirs.test(line)).map((line) => `not given back: ${line}`),
  ];
}

/** What is theirs: volumes, what they hold, files by their content. A second name of ours goes at the end, and is none of it. */
function keptOf(host: SimulatedHost, theirs: RegExp): string {
  const lines = host.snapshot().split('\n');
  return lines
    .filter((line) => theirs.test(line) && /^lv |holds|\.cfg"/.test(line))
    .map((line) => line.replace(/ links=\d+/, ''))
    .join('\n');
}
