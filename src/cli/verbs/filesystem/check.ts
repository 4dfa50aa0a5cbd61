import * as filesystem from '../../../api/filesystem.ts';
import { withBofh } from '../../../bofh.ts';
import { UsageError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import { type Answer, give } from '../../output/answer.ts';
import type { FilesystemCheck, FilesystemRepair } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change, plan } from '../../runtime/change.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession, untilInterrupted } from '../../runtime/session.ts';
import { flag, verb } from '../../runtime/verb.ts';

export default verb({
  answers: ['filesystem check', 'filesystem check --repair'],
  changes: ({ repair }) => repair,
  args: { device: ['<device>', 'block device, for example /dev/vg0/web1'] },
  options: {
    repair: flag('repair its errors; cannot be undone'),
    mayLoseFiles: flag(
      'with --repair: also repair errors where files may be lost; required to repair xfs and vfat',
    ),
  },
  examples: ['filesystem check /dev/vg0/web1', 'filesystem check /dev/vg0/web1 --repair'],
  run: (runtime, { device, repair: isRepair, mayLoseFiles }) => {
    if (mayLoseFiles && !isRepair)
      throw new UsageError('--may-lose-files needs --repair', { remedy: 'add --repair' });
    return isRepair ? repair(runtime, device, mayLoseFiles) : check(runtime, device);
  },
});

async function check(runtime: Runtime<FilesystemCheck>, device: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const { output, ...found } = await untilInterrupted(
    runtime,
    withBofh(bofh, () => filesystem.check(device)),
  );
  const data: FilesystemCheck = { ...found, output: [...output] };
  const errors = data.state === 'errors';
  const of = `the ${data.type} on ${printable(device)}`;
  const lines = errors ? [...output.map(printable), `${of} has errors`] : [`${of} is clean`];
  give(runtime, { data, lines });
  return errors ? 6 : 0;
}

/** Asks before if files may be lost. */
async function repair(
  runtime: Runtime<FilesystemRepair>,
  device: string,
  mayLoseFiles: boolean,
): Promise<number> {
  const files = mayLoseFiles ? ('may be lost' as const) : undefined;
  const act = () => filesystem.repair({ device, ...present({ files }) });
  return change<unknown, FilesystemRepair>(runtime, async (bofh) => {
    if (runtime.settings.mode === 'plan') return () => plan(runtime, bofh, act);
    const { type = '', uuid = null } = (await withBofh(bofh, () => filesystem.probe(device))) ?? {};
    const of = `the ${type} on ${printable(device)}`;
    const loss = `All errors of ${of} will be repaired without asking: files on it may be lost.`;
    return {
      destroys: mayLoseFiles ? [loss] : [],
      checksFirst: true,
      act,
      answer: (): Answer<FilesystemRepair> => ({
        data: { device, type, uuid },
        lines: [`repaired ${of}: it is clean now`],
      }),
    };
  });
}
