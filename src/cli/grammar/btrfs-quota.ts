import type { Command } from 'commander';
import type { Verb } from './verb.ts';

/** Words for what subvolumes may take. */
export function addQuota(btrfs: Command, verb: Verb): void {
  const quota = btrfs.command('quota').description('what subvolumes take, and may take');
  verb(
    quota.command('show').description('the quota groups of a filesystem').argument('<path>'),
    'reads',
    async (runtime, [path = '']) => (await import('../btrfs-quota.ts')).showQuota(runtime, path),
  );
  verb(
    quota.command('enable').description('count what each subvolume takes').argument('<path>'),
    'changes',
    async (runtime, [path = '']) => (await import('../btrfs-quota.ts')).setQuota(runtime, path, 'on'),
  );
  verb(
    quota.command('disable').description('count no more; not while there are limits').argument('<path>'),
    'changes',
    async (runtime, [path = '']) => (await import('../btrfs-quota.ts')).setQuota(runtime, path, 'off'),
  );
  verb(
    quota
      .command('limit')
      .description('set what a subvolume may refer to, or take the limit away')
      .argument('<subvolume>')
      .argument('<size|none>')
      .option('--exclusive', 'of what no other subvolume has too'),
    'changes',
    async (runtime, [path = '', size = ''], { exclusive }) =>
      (await import('../btrfs-quota.ts')).limit(runtime, {
        ...{ path, size },
        what: exclusive === true ? 'exclusive' : 'referenced',
      }),
  );
}
