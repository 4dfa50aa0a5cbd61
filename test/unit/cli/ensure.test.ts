import { describe, expect, it } from 'vitest';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { DiffersError } from '../../../src/core/errors.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';
import type { Command } from 'commander';
import { program } from '../../../src/cli/runtime/program.ts';
import { pool } from '../../support/undo/specimens/btrfs.ts';
import { replicatedVolumes } from '../../support/undo/specimens/drbd.ts';
import { typed } from '../plan/support.ts';

/** A host for each verb, the line, and words that ask for something else. */
const cases: Readonly<
  Record<
    string,
    { readonly on?: (host: SimulatedHost) => void; readonly line: string; readonly other?: string }
  >
> = {
  'lvm create': { line: 'vg0/web1 --size 8m', other: '--tag x' },
  'lvm pool create': { line: 'vg0/pool0 --size 64m', other: '--tag x' },
  'filesystem create': {
    on: withVolume,
    line: '/dev/vg0/data --type ext4 --label data',
    other: '--block-size 2048',
  },
  'crypt format': {
    on: (host) => {
      withVolume(host);
      host.admin.writeFile('/root/key', 'secret');
    },
    line: '/dev/vg0/data --key file:/root/key',
    other: '--label other',
  },
  'block image create': { on: withDirectory, line: '/srv/new.img 8m' },
  'block loop attach': {
    on: (host) => {
      withDirectory(host);
      host.admin.writeFile('/srv/disk.img', 'x'.repeat(4096));
    },
    line: '/srv/disk.img',
    other: '--read-only',
  },
  'mount add': {
    on: (host) => {
      withVolume(host, 'ext4');
      host.admin.mkdir('/mnt/data');
    },
    line: '/dev/vg0/data /mnt/data',
    other: '--read-only',
  },
  'mount fstab add': {
    on: (host) => {
      withVolume(host, 'ext4');
      host.admin.mkdir('/mnt/data');
    },
    line: '/dev/vg0/data /mnt/data --type ext4',
    other: '--pass 2',
  },
  'mount crypttab add': { line: 'data /dev/vdz --options luks,nofail' },
  'vm create': {
    on: (host) => {
      host.addTar('/srv/root.tar', [{ path: 'etc', type: 'directory' }]);
      for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
    },
    line: 'web1 --source tar:/srv/root.tar --size 64m --vg vg0 --kernel /boot/vmlinuz --ramdisk /boot/initrd',
    other: '--memory 512m',
  },
  'btrfs create': { on: pool, line: '/srv/pool/new' },
  'drbd config create': {
    on: (host) => replicatedVolumes(host, 'not configured'),
    line: 'web1 --hosts sim=10.0.0.1:7789,peer=10.0.0.2:7789 --volumes 3:/dev/vg0/web1-root',
    other: '--protocol A',
  },
};

function withVolume(host: SimulatedHost, type?: string): void {
  host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 16 });
  if (type !== undefined)
    host.admin.format('/dev/vg0/data', {
      ...{ type, usage: 'filesystem' as const },
      uuid: '5e1f0000-0000-4000-8000-000000000001',
    });
}

function withDirectory(host: SimulatedHost): void {
  host.admin.mkdir('/srv');
}

function withEnsure(command: Command, path: readonly string[] = []): readonly string[] {
  if (command.options.some(({ long }) => long === '--ensure')) return [path.join(' ')];
  return command.commands.flatMap((inner) => withEnsure(inner, [...path, inner.name()]));
}

describe('--ensure', () => {
  it('is tested for each verb that has it', async () => {
    const have = withEnsure(await program('all', async () => undefined));
    expect(have.toSorted()).toEqual(Object.keys(cases).sort());
  });

  for (const [verb, { on, line, other }] of Object.entries(cases)) {
    const words = [...verb.split(' '), ...line.split(' '), '--ensure'];

    it(`${verb}: creates once, plans what it does, and fails if it differs`, async () => {
      const host = simulatedHost();
      on?.(host);
      const planned = await typed(fork(host), ['--dry-run', ...words]);
      const first = await typed(host, ['--json', ...words]);
      const made = host.snapshot();
      const acts = host.changes.length;
      const plannedAgain = await typed(host, ['--dry-run', '--json', ...words]);
      const again = await typed(host, ['--json', ...words]);
      const inWords = await typed(host, words);

      expect(planned.stdout).not.toBe('');
      expect(JSON.parse(first.stdout)).toMatchObject({ changed: true });
      expect(JSON.parse(plannedAgain.stdout)).toMatchObject({ steps: [] });
      expect(JSON.parse(again.stdout)).toEqual({
        ...JSON.parse(first.stdout),
        ...differing(verb),
        changed: false,
      });
      expect(inWords.stdout).toMatch(/^unchanged, already as requested:\n./);
      expect(host.snapshot()).toBe(made);
      expect(host.changes.slice(acts).filter((change) => !JSON.stringify(change).includes('logger'))).toEqual(
        [],
      );

      if (other === undefined) return;
      await expect(typed(host, [...words, ...other.split(' ')])).rejects.toBeInstanceOf(DiffersError);
      expect(host.snapshot()).toBe(made);
    });
  }
});

/** What the answer says of an object that was there. */
function differing(verb: string): object {
  if (verb === 'block loop attach') return { was: 'adopted' };
  if (verb === 'vm create') return { source: null };
  if (verb === 'block image create') return { room: null };
  return verb === 'lvm pool create' ? { chunkSize: null } : {};
}
