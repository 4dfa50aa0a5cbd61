import * as api from '../../../api/btrfs.ts';
import * as btrfs from '../../../btrfs/index.ts';
import { UsageError } from '../../../core/errors.ts';
import { formatSize } from '../../../core/units.ts';
import { type Answer, give } from '../../output/answer.ts';
import type { BtrfsBalance, BtrfsBalanced, BtrfsScrub, BtrfsScrubbed } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';
import { printable } from '../../output/text.ts';

/** `bofh btrfs scrub start PATH` */
export async function scrub(runtime: Runtime, path: string): Promise<number> {
  return change(runtime, {
    act: () => api.scrub({ path }),
    answer: (data): Answer<BtrfsScrubbed> => ({
      data,
      lines: [
        `no errors in ${formatSize(data.dataBytes)} of data and ${formatSize(data.metadataBytes)} of metadata of ${printable(path)}`,
      ],
    }),
  });
}

/** `bofh btrfs scrub status PATH` */
export async function scrubStatus(runtime: Runtime, path: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const { started, ...found } = await btrfs.scrub(bofh.host, path);
  const data: BtrfsScrub = { ...found, started: started ?? null };
  const errors = btrfs.errorsIn(found);
  const read = `${formatSize(data.dataBytes)} of data and ${formatSize(data.metadataBytes)} of metadata read`;
  give(runtime, {
    data,
    lines:
      data.state === 'never'
        ? [`${printable(path)} was never scrubbed on this host`]
        : [
            `the scrub that began at ${data.started ?? '?'} is ${data.state}: ${read}`,
            errors.length === 0 ? 'no errors' : `errors: ${errors.join(', ')}`,
          ],
  });
  return 0;
}

/** `bofh btrfs balance start PATH` */
export async function balance(
  runtime: Runtime,
  asked: { readonly path: string; readonly dataUsage?: string; readonly metadataUsage?: string },
): Promise<number> {
  const { path, dataUsage, metadataUsage } = asked;
  const args = {
    path,
    ...(dataUsage === undefined ? {} : { dataUsage: percent(dataUsage) }),
    ...(metadataUsage === undefined ? {} : { metadataUsage: percent(metadataUsage) }),
  };
  return change(runtime, {
    act: () => api.balance(args),
    answer: (data): Answer<BtrfsBalanced> => ({
      data,
      lines: [`${data.relocated} of ${data.chunks} block groups were written anew`],
    }),
  });
}

/** `bofh btrfs balance status PATH` */
export async function balanceStatus(runtime: Runtime, path: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const data: BtrfsBalance = await btrfs.balance(bofh.host, path);
  const lines =
    data.state === 'none'
      ? [`${printable(path)} has no balance`]
      : [
          `the balance is ${data.state}: ${data.relocated} of about ${data.expected} block groups, ${data.leftPercent} % are left`,
        ];
  give(runtime, { data, lines });
  return 0;
}

function percent(text: string): number {
  if (/^(?:100|\d{1,2})$/.test(text)) return Number(text);
  throw new UsageError(`"${text}" is no number of percent: write 0 to 100`);
}
