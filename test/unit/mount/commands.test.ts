import { describe, expect, it } from 'vitest';
import { bindMount, classify, mount, umount } from '../../../src/mount/commands.ts';

describe('mount', () => {
  it('names source and target, so that fstab is not used', () => {
    const command = mount({
      device: '/dev/vg0/web1',
      path: '/mnt/a b',
      mode: 'rw',
      type: 'ext4',
      options: ['nodev', 'nosuid'],
    });
    expect(command.argv).toEqual([
      '--types',
      'ext4',
      '--options',
      'rw,nodev,nosuid',
      '--source',
      '/dev/vg0/web1',
      '--target',
      '/mnt/a b',
    ]);
    expect(command.access).toBe('change');
    expect(command.stop).toBeUndefined();
  });

  it('says read-only where that is asked', () => {
    expect(mount({ device: '/dev/a', path: '/b', mode: 'ro' }).argv).toContain('ro');
  });
});

describe('a bind mount', () => {
  it('is one of a directory, with its own flags', () => {
    const { argv, access } = bindMount({ source: '/srv/a b', path: '/mnt', mode: 'ro', options: ['nodev'] });
    expect(argv).toEqual(['--options', 'ro,bind,nodev', '--source', '/srv/a b', '--target', '/mnt']);
    expect(access).toBe('change');
  });
});

describe('umount', () => {
  it('is never lazy or forced, and follows no link', () => {
    expect(umount('/mnt/x').argv).toEqual(['--no-canonicalize', '/mnt/x']);
  });
});

describe('the reason of a failure', () => {
  it.each([
    ['umount: /mnt: target is busy.\n', 'busy'],
    ['mount: /mnt: /dev/loop0 already mounted on /mnt.\n', 'busy'],
    ['umount: /mnt: not mounted.\n', 'not-found'],
    ['mount: /mnt: special device /dev/nope does not exist.\n', 'not-found'],
    ["mount: /mnt: fsconfig() failed: /dev/nosuch: Can't lookup blockdev.\n", 'not-found'],
    ['umount: /mnt: must be superuser to unmount.\n', 'denied'],
    ['mount: /mnt: wrong fs type, bad option, bad superblock on /dev/loop0, missing codepage.\n', 'unknown'],
  ])('%s', (stderr, reason) => {
    expect(classify({ exitCode: 32, stdout: '', stderr })).toBe(reason);
  });
});
