import type { Command } from 'commander';
import type { Verb } from './verb.ts';

/** Verbs for the quota of subvolumes. */
export function addQuota(btrfs: Command, verb: Verb): void {
  const quota = btrfs.command('quota').description('quota of subvolumes: usage and limits');
  verb(
    quota.command('show').description('show the quota groups of a filesystem').argument('<path>'),
    'reads',
    async (runtime, [path = '']) => (await import('../btrfs/quota.ts')).showQuota(runtime, path),
  );
  verb(
    quota.command('enable').description('enable quota accounting').argument('<path>'),
    'changes',
    async (runtime, [path = '']) => (await import('../btrfs/quota.ts')).setQuota(runtime, path, 'on'),
  );
  verb(
    quota
      .command('disable')
      .description('disable quota accounting; refused while limits are set')
      .argument('<path>'),
    'changes',
    async (runtime, [path = '']) => (await import('../btrfs/quota.ts')).setQuota(runtime, path, 'off'),
  );
  verb(
    quota
      .command('limit')
      .description('set the quota of a subvolume, or remove it with none')
      .argument('<subvolume>')
      .argument('<size|none>')
      .option('--exclusive', 'limit only the data that no other subvolume shares'),
    'changes',
    async (runtime, [path = '', size = ''], { exclusive }) =>
      (await import('../btrfs/quota.ts')).limit(runtime, {
        ...{ path, size },
        what: exclusive === true ? 'exclusive' : 'referenced',
      }),
  );
}
