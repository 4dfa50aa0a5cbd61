import { afterAll, describe, expect, test } from 'vitest';
import type { Bofh } from '../../../src/connect.ts';
import type { Tx } from '../../../src/operations.ts';
import { createReplica, planCreate } from '../../../src/replica/create.ts';
import { growReplica, planGrow } from '../../../src/replica/grow.ts';
import { convertReplica, planConvert } from '../../../src/replica/convert.ts';
import { type Members, membersAt } from '../../../src/replica/hosts.ts';
import { planRemove, removeReplica } from '../../../src/replica/remove.ts';
import { membersOfReplacement, planReplace } from '../../../src/replica/replace-plan.ts';
import { replacePeer } from '../../../src/replica/replace.ts';
import { checkConvert, checkCreate, checkReplace } from '../../../src/replica/request.ts';
import { changeRole, planPromote } from '../../../src/replica/role.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { simulatedPair, type SimulatedHost } from '../../../src/simulator/index.ts';
import { faultsOf } from '../../support/undo/two-faults.ts';
import { type Made, referenceOf } from '../../support/undo/two-hosts.ts';
import { counting, tryEach } from '../../support/undo/two-trials.ts';
import { ext4, filled, ground, request, resourceOf, three } from './support.ts';

// Each recipe, with all that can happen at each moment between its hosts: both are as after it in the end, or both as before.

/** As the boot of a host with `drbdadm up all` has it. */
function heal(host: SimulatedHost): void {
  const { admin, world } = host;
  const isConfigured = /^now .*"\/etc\/drbd\.d\/web1\.res" /m.test(host.snapshot());
  if (isConfigured && world.drbd.resources.length === 0) admin.drbdadm('up', 'web1');
}

const checked = checkCreate(request);
const name = 'web1';

/** The requested host, and the present one. */
const empty = [ground('alpha', '10.0.0.1'), ground('beta', '10.0.0.2')] as const;
const stages = {
  empty: () => [fork(empty[0]), fork(empty[1])] as const,
  primary: staged(1),
  here: staged(0),
  secondary: staged(undefined),
  plain: () => {
    const hosts = [fork(empty[0]), fork(empty[1])] as const;
    filled(hosts[0]);
    return hosts;
  },
  alone: () => {
    const { alpha, there, others } = three(fork(empty[1]));
    others['gamma']?.cut();
    return [alpha, there.host()] as const;
  },
  three: () => {
    const { alpha, there, others } = three(fork(empty[1]));
    const gamma = others['gamma']?.host();
    if (gamma === undefined) throw new TypeError('there is no gamma');
    return [alpha, there.host(), gamma] as const;
  },
};
const toReplace = checkReplace({ name, to: 'there', connectMs: 50 });

/** The old peer of three is there, and the link to one of them, or to the new one, is in trouble. */
const replaced = (at: 'there' | 'gamma'): Made => ({
  ...{ heal, at, hosts: stages.three },
  act: async (tx, { engine }) => {
    const members = await membersOfReplacement(engine, toReplace);
    await replacePeer(tx, engine, await planReplace({ members, request: toReplace }));
  },
});
const toConvert = checkConvert({ vg: 'vg0', lv: name, to: 'there', connectMs: 50 });

/** By hand: a sequence of bofh would have left its journal. */
function staged(primary: 0 | 1 | undefined) {
  const hosts = [ground('alpha', '10.0.0.1'), ground('beta', '10.0.0.2')] as const;
  simulatedPair({ here: hosts[0], there: hosts[1] });
  for (const { admin } of hosts) {
    admin.lvcreate({ vg: 'vg0', name, extents: 17 });
    admin.drbdMetadata('/dev/vg0/web1', '5e1f000000000001', 'UpToDate');
    admin.writeFile('/etc/drbd.d/web1.res', resourceOf(name, 0));
    admin.drbdadm('up', name);
  }
  for (const { admin } of hosts) {
    admin.drbdadm('primary', name);
    admin.format('/dev/drbd0', { ...ext4, blocks: 16384 });
    admin.drbdadm('secondary', name);
  }
  if (primary !== undefined) hosts[primary].admin.drbdadm('primary', name);
  return () => [fork(hosts[0]), fork(hosts[1])] as const;
}

function bothPrimary(hosts: readonly SimulatedHost[]): string | undefined {
  const primary = hosts.filter(({ world }) => world.drbd.resources.some(({ role }) => role === 'Primary'));
  return primary.length > 1 ? 'both hosts are primary' : undefined;
}

const recipe = (
  hosts: Made['hosts'] & object,
  act: (tx: Tx, bofh: Bofh, members: Members) => Promise<unknown>,
): Made => ({
  ...{ hosts, heal, never: bothPrimary },
  act: async (tx, bofh) => act(tx, bofh, await membersAt(bofh.engine, checked.on)),
});

/** Once: it is the same on every copy of these hosts. */
let planned: ReturnType<typeof planCreate> | undefined;
let conversion: ReturnType<typeof planConvert> | undefined;

const apart = 'the replication is cut, and nothing else';
const few = [
  'acts there, then fails',
  'the link is cut after, the answer is lost',
  'the power of the other host fails after',
  'SIGKILL of the coordinator after',
];
const some = [
  ...few,
  'the link is cut while the program runs on',
  'the other host is booted, and nobody sees it',
  'the power of the coordinator fails',
];

const recipes: readonly (readonly [string, Made, readonly string[]])[] = [
  [
    'create',
    recipe(stages.empty, async (tx, { engine, site }, members) => {
      planned ??= planCreate({ members, site, request: checked });
      await createReplica(tx, engine, { ...(await planned), members });
    }),
    some,
  ],
  [
    'remove',
    recipe(stages.secondary, async (tx, { engine }, members) =>
      removeReplica(tx, engine, await planRemove({ members, name, volumes: 'removed' })),
    ),
    few,
  ],
  [
    'remove --keep-on',
    recipe(stages.secondary, async (tx, { engine }, members) =>
      removeReplica(tx, engine, await planRemove({ members, name, volumes: 'removed', keepOn: 'there' })),
    ),
    some,
  ],
  [
    'convert',
    recipe(stages.plain, async (tx, { engine }, members) => {
      const request = toConvert;
      conversion ??= planConvert({ members, own: engine.host.name, request });
      await convertReplica(tx, engine, { ...(await conversion), members });
    }),
    some,
  ],
  [
    'replace-peer --lost',
    recipe(stages.alone, async (tx, { engine }) => {
      const request = { ...toReplace, old: 'lost' } as const;
      const members = await membersOfReplacement(engine, request);
      await replacePeer(tx, engine, await planReplace({ members, request }));
    }),
    some,
  ],
  ['replace-peer, at the new one', replaced('there'), few],
  ['replace-peer, at the old one', replaced('gamma'), some],
  [
    'promote',
    recipe(stages.primary, async (tx, { engine }, members) =>
      changeRole(tx, engine, await planPromote({ members, name, to: 'alpha', limitMs: 50 })),
    ),
    [...few, apart],
  ],
  [
    'grow',
    recipe(stages.here, async (tx, { engine }, members) =>
      growReplica(tx, engine, await planGrow({ members, name, size: '+64m' })),
    ),
    few,
  ],
];

const trials = recipes.flatMap(([title, act, chosen]) =>
  faultsOf(chosen).flatMap(([fault, trouble]) =>
    (['well', 'badly'] as const).map((ends) => ({ title, act, fault, trouble, ends })),
  ),
);

const references = new Map<Made, ReturnType<typeof referenceOf>>();

const counts = new Map(recipes.map(([title]) => [title, counting()]));

describe.each(trials)('$fault', ({ title, act, fault, trouble, ends }) => {
  test(`at each crossing of drbd ${title} that ends ${ends}`, { timeout: 240_000 }, async () => {
    const reference = references.get(act) ?? referenceOf(act);
    references.set(act, reference);
    const { found, ...count } = await tryEach(act, await reference, { ...trouble, ends });
    counts.get(title)?.add(fault, count);

    expect(found).toEqual([]);
    // Most recipes need no replication.
    if (fault !== apart || title === 'promote') expect(count.before).toBeGreaterThan(0);
  });
});

afterAll(() => {
  for (const [title, all] of counts) all.write(`drbd ${title}`);
});
