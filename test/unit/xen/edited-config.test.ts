import { expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';
import { failNow, rejectionOf } from '../../support/rejection.ts';

const config = '/etc/xen/web1.cfg';
const of = { name: 'web1', uuid: '5e1f0000-0000-4000-8000-00000000000a' } as const;
const text = (name: string, disk: string) =>
  `name = '${name}'\nmemory = 64\nkernel = '/vmlinuz'\ndisk = ['phy:/dev/vg0/${disk},xvda,w']\n`;

test.each([
  ['is that of another guest', text('shop', 'root'), /web1 cannot be started again: \S+ is the .* of shop/],
  ['names a disk that this host uses', text('web1', 'more'), /web1 cannot get its disks back: .*vg0\/more/],
  ['cannot be parsed', 'name = web1\n', /web1 cannot be started again: \S+:1: expected a quoted string/],
])('a guest is not started again by the undo if its configuration %s now', async (_, now, message) => {
  const host = simulatedHost();
  for (const name of ['root', 'more']) host.admin.lvcreate({ vg: 'vg0', name, extents: 2 });
  const filesystem = { type: 'ext4', usage: 'filesystem', version: '1.0' } as const;
  host.admin.format('/dev/vg0/more', { ...filesystem, uuid: '5e1f0000-0000-4000-8000-00000000000b' });
  host.admin.mkdir('/mnt');
  host.admin.writeFile('/vmlinuz', 'x');
  host.admin.writeFile(config, text('web1', 'root'));
  host.admin.startDomain(of);

  const error = await rejectionOf(
    withBofh(simulatedBofh({ host }), () =>
      atomic('test', async (tx) => {
        await tx.xen.shutdown({ ...of, config, how: 'shutdown' });
        host.admin.writeFile(config, now);
        host.admin.mount('/dev/vg0/more', '/mnt');
        return failNow();
      }),
    ),
  );

  expect(String(error)).toMatch(message);
  expect(host.world.domains).toEqual([]);
});
