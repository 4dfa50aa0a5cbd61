import * as api from '../../../api/btrfs.ts';
import * as btrfs from '../../../btrfs/index.ts';
import { formatSize, parseSize } from '../../../core/units.ts';
import { type Answer, give } from '../../output/answer.ts';
import type { BtrfsLimited, BtrfsQuota, BtrfsQuotaSet } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';
import { printable } from '../../output/text.ts';

/** `bofh btrfs quota show PATH` */
export async function showQuota(runtime: Runtime, path: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const found = await btrfs.quota(bofh.host, path);
  const groups = found.mode === 'off' ? [] : found.groups;
  const data: BtrfsQuota = {
    mode: found.mode,
    state: found.mode === 'off' ? null : found.state,
    groups: groups.map(({ id, referenced, exclusive, maxReferenced, maxExclusive }) => ({
      ...{ id, referenced, exclusive },
      maxReferenced: maxReferenced ?? null,
      maxExclusive: maxExclusive ?? null,
    })),
  };
  give(runtime, {
    data,
    head: ['GROUP', 'REFERENCED', 'LIMIT', 'EXCLUSIVE', 'LIMIT'],
    rows: data.groups.map((each) => [
      each.id,
      formatSize(each.referenced),
      limitInWords(each.maxReferenced),
      formatSize(each.exclusive),
      limitInWords(each.maxExclusive),
    ]),
    none: 'quotas are off',
  });
  if (data.state !== null && data.state !== 'exact' && runtime.settings.answer !== 'json')
    runtime.terminal.line(doubts[data.state]);
  return 0;
}

const doubts = {
  counting: 'these numbers are not complete: they are still being counted',
  inconsistent: 'these numbers are not to be trusted until they are counted anew: btrfs quota rescan',
  stale: 'these numbers are not to be trusted: quotas were turned off since',
} as const;

/** `bofh btrfs quota enable PATH`, `bofh btrfs quota disable PATH` */
export async function setQuota(runtime: Runtime, path: string, mode: 'on' | 'off'): Promise<number> {
  return change(runtime, {
    act: () => api.setQuota({ path, mode }),
    answer: (data): Answer<BtrfsQuotaSet> => ({
      data,
      lines: [`the quotas of ${printable(path)} are ${data.mode} now`],
    }),
  });
}

/** `bofh btrfs quota limit SUBVOLUME SIZE|none` */
export async function limit(
  runtime: Runtime,
  asked: { readonly path: string; readonly size: string; readonly what: 'referenced' | 'exclusive' },
): Promise<number> {
  const { path, size, what } = asked;
  const bytes = size === 'none' ? null : parseSize(size);
  return change(runtime, {
    act: () => api.limitSubvolume({ path, what, limit: bytes }),
    answer: (data): Answer<BtrfsLimited> => ({
      data,
      lines: [
        `the limit of ${printable(path)} is ${limitInWords(data.limit)} now; it was ${limitInWords(data.was)}`,
      ],
    }),
  });
}

function limitInWords(bytes: number | null): string {
  return bytes === null ? 'none' : formatSize(bytes);
}
