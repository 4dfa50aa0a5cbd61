import type { PowerRow } from '../../../api/xen.ts';
import { withBofh } from '../../../bofh.ts';
import { type Bofh } from '../../../connect.ts';
import { present } from '../../../core/present.ts';
import { explain } from '../../errors/explain.ts';
import { asText } from '../../errors/explanation.ts';
import { give } from '../../output/answer.ts';
import type { XenStartAll } from '../../output/answers/index.ts';
import { stated } from '../../output/style.ts';
import type { Findings } from '../../plan/plan.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';
import { logged } from '../../runtime/system-log.ts';

/** Starts or stops all guests and prints a row for each. Exit code 6 if a guest failed, 3 if an undo is stuck. */
export async function allGuests(
  runtime: Runtime<XenStartAll>,
  {
    act,
    none,
  }: {
    readonly act: () => Promise<readonly PowerRow[]>;
    /** The text if there is no guest (default: the directories where guests are configured). */
    readonly none?: string | undefined;
  },
): Promise<number> {
  const { bofh, progress } = await openSession(runtime, { site: 'used', root: 'needed' });
  if (runtime.settings.mode === 'plan') return await planAll(runtime, bofh, act);
  const rows = await logged(
    runtime,
    bofh.host,
    () => withBofh(bofh, act),
    (all) => `${String(all.filter((row) => row.error !== undefined).length)} of ${String(all.length)} failed`,
  );
  progress.end();
  const data: XenStartAll = rows.map(({ name, was, now, seconds, error, stuck }) => ({
    ...{ guest: name, was, now, seconds },
    ...present({ error, journal: stuck?.id }),
  }));
  give(runtime, {
    data,
    head: ['GUEST', 'WAS', 'NOW', 'SECONDS', 'ERROR'],
    rows: data.map((row) => [
      ...[row.guest, row.was, stated(row.now), String(row.seconds)],
      stated(row.error ?? '', 'bad'),
    ]),
    none: none ?? `no guest is configured in ${bofh.site.guestConfigDirs.join(', ')}`,
  });
  const left = rows.flatMap(({ stuck }) => stuck ?? []);
  // The table is the answer; leftovers are printed on stderr.
  for (const error of left)
    runtime.terminal.line(asText(explain(error, { root: runtime.root }), runtime.terminal.paint));
  if (left.length > 0) return 3;
  return data.some((row) => row.error !== undefined) ? 6 : 0;
}

/** Plans the guests. The plan also lists guests that would be refused. */
async function planAll(
  runtime: Runtime,
  bofh: Bofh,
  act: () => Promise<readonly PowerRow[]>,
): Promise<number> {
  const { dryRun } = await import('../../plan/plan.ts');
  const body = async (_bofh: Bofh, found: Findings): Promise<void> => {
    for (const { name, error } of await act())
      if (error !== undefined) found.refused.push({ what: name, why: error });
  };
  return await dryRun(runtime, bofh, body, ({ refused }) => (refused.length === 0 ? 0 : 6));
}
