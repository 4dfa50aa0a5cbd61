import { expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import type { Domain } from '../../../src/simulator/world/parts.ts';
import { failNow, rejectionOf } from '../../support/rejection.ts';

const uuid = '5e1f0000-0000-4000-8000-00000000000a';
const mac = '00:16:3e:00:00:08';
const of = { name: 'web1', uuid } as const;

function staged(): SimulatedHost {
  const host = simulatedHost();
  for (const name of ['root', 'more']) host.admin.lvcreate({ vg: 'vg0', name, extents: 2 });
  const disks = [{ vdev: 'xvda', path: '/dev/vg0/root', number: `${host.world.dmMajor}:0` }];
  const agent = { socket: '/run/xen/web1.sock', filesystems: 'thawed', answers: 'always' } as const;
  const nics = [{ mac, bridge: 'xenbr0' }];
  host.admin.startDomain({ ...of, memory: '128m', disks, nics, agent });
  return host;
}

const guest = (host: SimulatedHost): Domain | undefined =>
  host.world.domains.find((each) => each.uuid === uuid);
const stateOf = (host: SimulatedHost) => JSON.stringify({ ...guest(host), name: '' });

test.each<readonly [string, (tx: Tx) => Promise<unknown>]>([
  ['its filesystems are frozen', (tx) => tx.xen.freeze(of)],
  ['it gets less memory', (tx) => tx.xen.set({ ...of, setting: 'memory', to: 64 * 1024 ** 2 })],
  ['it is paused', (tx) => tx.xen.set({ ...of, setting: 'paused', to: 1 })],
  ['it gets a disk', (tx) => tx.xen.setDisk({ ...of, vdev: 'xvdb', device: '/dev/vg0/more' })],
  ['it loses an interface', (tx) => tx.xen.setInterface({ ...of, mac, bridge: null })],
])('a guest that is renamed after %s is as before after the undo', async (_, act) => {
  const host = staged();
  const before = stateOf(host);

  const error = await rejectionOf(
    withBofh(simulatedBofh({ host }), () =>
      atomic('test', async (tx) => {
        await act(tx);
        expect(stateOf(host)).not.toBe(before);
        Object.assign(guest(host) ?? {}, { name: 'old-web1' });
        host.world.revision += 1;
        return failNow();
      }),
    ),
  );

  expect(error).toHaveProperty('leftUntouched', []);
  expect(stateOf(host)).toBe(before);
  expect(guest(host)?.name).toBe('old-web1');
});
