import { describe, expect, it } from 'vitest';
import { simulatedHost } from '../../src/simulator/index.ts';
import { changedBeyond } from '../support/remedies/beyond.ts';

function changed(command: string, act: (admin: ReturnType<typeof simulatedHost>['admin']) => void) {
  const host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 4 });
  host.admin.lvcreate({ vg: 'vg0', name: 'db', extents: 4 });
  host.admin.mkdir('/srv/db');
  host.admin.format('/dev/vg0/db', { type: 'ext4', usage: 'filesystem', uuid: 'u', version: '1.0' });
  host.admin.writeFile('/etc/xen/web1.cfg', 'name = "web1"\n');
  host.admin.writeFile('/srv/a.img', '0'.repeat(4096));
  const before = host.snapshot();
  act(host.admin);
  return changedBeyond({ before, after: host.snapshot() }, [command.split(' ')]).map((line) =>
    line.split(' ').slice(0, 3).join(' '),
  );
}

describe('changes of a remedy beyond the objects that it names', () => {
  it.each<[string, Parameters<typeof changed>[1]]>([
    ['bofh lvm remove vg0/web1-root', (admin) => admin.lvremove('vg0', 'web1-root')],
    [
      'bofh vm remove web1',
      (admin) => {
        admin.lvremove('vg0', 'web1-root');
        admin.removeFile('/etc/xen/web1.cfg');
      },
    ],
    ['lvremove /dev/mapper/vg0-web1--root', (admin) => admin.lvremove('vg0', 'web1-root')],
    ['mount /dev/vg0/db /srv/db', (admin) => admin.mount('/dev/vg0/db', '/srv/db')],
    ['bofh recover 0a1b', (admin) => admin.lvremove('vg0', 'db')],
    ['losetup --detach /dev/loop0', (admin) => admin.losetup('/srv/a.img')],
    ['bofh vm remove web1', (admin) => admin.writeFile('/etc/xen/other.cfg', 'x')],
  ])('%s: none', (command, act) => {
    expect(changed(command, act)).toEqual([]);
  });

  it.each<[string, Parameters<typeof changed>[1], RegExp]>([
    ['bofh lvm remove vg0/web1-root', (admin) => admin.lvremove('vg0', 'db'), /^lv vg0\/db/],
    ['bofh vm remove web1', (admin) => admin.mount('/dev/vg0/db', '/srv/db'), /^mount \S+ on/],
    ['bofh lvm activate vg0/db', (admin) => admin.writeFile('/etc/xen/b.cfg', 'x'), /xen\/b\.cfg/],
  ])('%s: an object of another name', (command, act, line) => {
    expect(changed(command, act)).toEqual([expect.stringMatching(line)]);
  });
});
