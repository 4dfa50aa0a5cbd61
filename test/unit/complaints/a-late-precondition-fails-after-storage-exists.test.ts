import { describe, expect, it } from 'vitest';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { hostWithSource } from '../simulator/support.ts';
import { create, fails, withGuest } from './support.ts';

type Arrange = (host: SimulatedHost) => void;
const asIs: Arrange = () => undefined;

/** What a guest needs besides its disks: each is missing alone, while everything else is right. */
const preconditions: readonly (readonly [what: string, arrange: Arrange, line: string, said: RegExp])[] = [
  [
    'its name is that of a domain',
    (host) => void host.admin.startDomain({ name: 'web1' }),
    create,
    /domain web1/,
  ],
  [
    'its name is that of a configured guest',
    (host) =>
      host.admin.writeFile('/etc/xen/other.cfg', "name = 'web1'\nmemory = 128\nkernel = '/vmlinuz'\n"),
    create,
    /other\.cfg/,
  ],
  [
    'its configuration file is there',
    (host) => host.admin.writeFile('/etc/xen/web1.cfg', 'x'),
    create,
    /web1\.cfg/,
  ],
  [
    'a configuration cannot be read',
    (host) => host.admin.writeFile('/etc/xen/broken.cfg', 'name = ['),
    create,
    /broken\.cfg/,
  ],
  [
    'its address belongs to another guest',
    (host) =>
      host.admin.writeFile(
        '/etc/xen/other.cfg',
        "name = 'other'\nmemory = 128\nkernel = '/vmlinuz'\nvif = ['mac=00:16:3e:00:00:01']\n",
      ),
    `${create} --bridge xenbr0 --mac 00:16:3e:00:00:01`,
    /00:16:3e:00:00:01/,
  ],
  ['its bridge is not there', asIs, `${create} --bridge nobr0`, /nobr0/],
  ['its address is none', asIs, `${create} --bridge xenbr0 --mac nonsense`, /nonsense/],
  ['there is not the memory', asIs, `${create} --memory 64g`, /memory/i],
  ['its kernel is not there', asIs, create.replace('/boot/vmlinuz', '/boot/nolinuz'), /nolinuz/],
  ['its archive is not there', asIs, create.replace('debian.tar', 'none.tar'), /none\.tar/],
  [
    'its archive is cut off',
    (host) => host.addTar('/srv/cut.tar', [{ path: './a', content: 'x' }], 'cut off'),
    create.replace('debian.tar', 'cut.tar'),
    /cut\.tar/,
  ],
  [
    'its archive is no archive',
    (host) => host.admin.writeFile('/srv/no.tar', 'hello'),
    create.replace('debian.tar', 'no.tar'),
    /no\.tar/,
  ],
  ['the volume group has no room', asIs, create.replace('64m', '900g'), /900/],
  ['the second volume has no room', asIs, create.replace('16m', '8g'), /extents/],
  [
    'a volume has its name',
    (host) => void host.admin.lvcreate({ vg: 'vg0', name: 'web1-swap', extents: 1 }),
    create,
    /web1-swap/,
  ],
];

describe('a late precondition fails after storage exists', () => {
  it.each(preconditions)(
    'never: when %s, it is refused before anything is created',
    async (_what, arrange, line, said) => {
      const host = hostWithSource();
      arrange(host);
      const before = host.snapshot();

      const { failed, details, exitCode } = await fails(host, line);

      expect([failed, ...details].join('\n')).toMatch(said);
      // 1 refused, 2 wrong input: not 5, failed and undone.
      expect([1, 2]).toContain(exitCode);
      expect(host.changes).toEqual([]);
      expect(host.snapshot()).toBe(before);
    },
  );

  it.each([
    [
      'a disk of it has a snapshot',
      (host: SimulatedHost) =>
        void host.admin.snapshot({ vg: 'vg0', name: 'nightly', origin: 'web1-swap', extents: 2 }),
      /nightly/,
    ],
    [
      'a disk of it is mounted too',
      (host: SimulatedHost) => void host.admin.mount('/dev/vg0/web1-root', '/mnt'),
      /\/mnt/,
    ],
  ])(
    'a running guest is not stopped for a removal that is refused later: when %s',
    async (_what, arrange, said) => {
      const host = await withGuest();
      arrange(host);
      const [before, changes] = [host.snapshot(), host.changes.length];

      const { failed, details, exitCode } = await fails(host, 'vm remove web1 --force-off');

      expect([failed, ...details].join('\n')).toMatch(said);
      expect(exitCode).toBe(1);
      expect(host.changes.length).toBe(changes);
      expect(host.snapshot()).toBe(before);
    },
  );
});
