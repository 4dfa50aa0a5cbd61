import { describe, expect, test } from 'vitest';
import type { Command } from '../../../src/command/index.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';
import { recorded } from '../blockdevice/fixtures.ts';

const uuid = '11111111-2222-3333-4444-555555555555';

describe('the model prints exactly what the real program printed', () => {
  test.each([
    ['e2fsck/mounted@1.47.0', 'mounted'],
    ['resize2fs/shrink-mounted@1.47.0', 'mounted'],
    ['resize2fs/too-large@1.47.0', 'unmounted'],
    ['resize2fs/shrunk@1.47.0', 'unmounted'],
    ['resize2fs/missing@1.47.0', 'unmounted'],
    ['dumpe2fs/missing@1.47.0', 'unmounted'],
    ['xfs_db/missing@6.1.0', 'unmounted'],
    ['xfs_db/no-filesystem@6.1.0', 'unmounted'],
    ['xfs_growfs/not-mounted@6.1.0', 'unmounted'],
    ['btrfs/dump-super-missing@6.2', 'unmounted'],
    ['btrfs/dump-super-none@6.2', 'unmounted'],
  ] as const)('%s', async (name, state) => {
    const host = simulatedHost({ disks: [{ name: 'vdz', size: 64 * 1024 ** 2 }] });
    const superblock = { type: 'ext4', usage: 'filesystem', uuid, blockSize: 1024, blocks: 49152 } as const;
    host.admin.format('/dev/vdz', superblock);
    host.admin.mkdir('/srv/ext');
    if (state === 'mounted') host.admin.mount('/dev/vdz', '/srv/ext');
    const { argv, ...said } = recorded(name);
    const [tool = '', ...words] = argv.map((word) => word.replace(/\/dev\/loop\d/, '/dev/vdz'));

    const answer = await host.during({ outputs: '/nowhere', lock: -1 }).run({
      tool: tool as Command<unknown>['tool'],
      argv: words,
      access: 'change',
      accepts: [0, 1, 2, 8],
      parse: (all) => all,
    });

    const plain = (text: string): string => text.replaceAll(/\/dev\/loop\d/g, '/dev/vdz').trim();
    expect(answer.exitCode).toBe(said.exitCode);
    expect(plain(answer.stderr)).toBe(plain(said.stderr));
    expect(plain(answer.stdout)).toBe(plain(said.stdout));
  });
});
