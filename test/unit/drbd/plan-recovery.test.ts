import { expect, it } from 'vitest';
import { plan } from '../../../src/cli/output/answers/index.ts';
import type { Tx } from '../../../src/operations.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { typed } from '../plan/support.ts';
import { on, up } from './support.ts';

const name = 'web1';

/** Up, and connected to a secondary. */
function connected({ admin, ...host }: SimulatedHost, to: Parameters<typeof admin.setDrbd>[1] = {}) {
  const peer = { role: 'Secondary', disk: 'UpToDate' } as const;
  admin.setDrbd(name, { role: 'Secondary', connection: 'Connected', peer, ...to });
  return { admin, ...host };
}

/** The same, of which drbdadm was told something afterwards. */
function after(verb: string): SimulatedHost {
  const host = connected(up());
  host.admin.drbdadm(verb, name);
  return host;
}

function smaller(host: SimulatedHost): SimulatedHost {
  for (const volume of host.world.drbd.resources[0]?.volumes ?? []) volume.size -= 4 * 1024 ** 2;
  return host;
}

const isNew = { role: 'Secondary', disk: 'Inconsistent' } as const;

it.each<readonly [verb: string, stage: () => SimulatedHost, act: (tx: Tx) => Promise<unknown>]>([
  ['resize', () => smaller(connected(up(), { role: 'Primary' })), (tx) => tx.drbd.resize({ name })],
  [
    'new-current-uuid',
    () => connected(up('Inconsistent'), { peer: isNew }),
    (tx) => tx.drbd.newCurrentUuid({ name }),
  ],
  ['connect', () => after('disconnect'), (tx) => tx.drbd.connect({ name, discardMyData: true })],
  ['invalidate', () => connected(up()), (tx) => tx.drbd.invalidate({ name })],
  ['invalidate-remote', () => connected(up()), (tx) => tx.drbd.invalidateRemote({ name })],
  ['adjust', () => after('disconnect'), (tx) => tx.drbd.adjust({ name })],
])('the plan of a recovery that finishes drbd %s is what the recovery does', async (verb, stage, act) => {
  const host = stage();
  host.fault({ tool: 'drbdadm', access: 'change', mode: 'fails before' });
  await expect(on(host, act)).rejects.toThrow(/left/);
  host.clearFaults();

  const planned = await typed(host, ['--json', '--dry-run', '--yes', 'recover']);
  const begun = host.changes.length;
  const made = await typed(host, ['--json', '--yes', 'recover']);

  const { journals, steps, refused } = plan.parse(JSON.parse(planned.stdout));
  const ran = host.changes
    .slice(begun)
    .flatMap((each) =>
      each.what === 'command' && each.command.tool === 'drbdadm'
        ? [`drbdadm ${each.command.argv.join(' ')}`]
        : [],
    );
  expect(ran).toEqual([expect.stringContaining(`drbdadm ${verb}`)]);
  expect([planned.exitCode, journals[0]?.end, refused]).toEqual([made.exitCode, 'committed', []]);
  const lines = steps.flatMap(({ changes }) => changes.map(({ line }) => line));
  expect(lines.filter((line) => line.startsWith('drbdadm'))).toEqual(ran);
});
