import * as xen from '../../../api/xen.ts';
import { type Bofh, withBofh } from '../../../bofh.ts';
import { present } from '../../../core/present.ts';
import { explain } from '../../errors/explain.ts';
import { asText } from '../../errors/explanation.ts';
import { give } from '../../output/answer.ts';
import type { XenStartAll } from '../../output/answers/index.ts';
import type { Findings } from '../../plan/plan.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';
import { logged } from '../../runtime/system-log.ts';
import { verb } from '../../runtime/verb.ts';
import { alone, time } from './options.ts';

/** Exit 6 if a guest failed, 3 if one could not be undone. */
export default verb({
  changes: true,
  options: { alone, time },
  examples: ['xen start-all'],
  run: async (runtime, { alone, time: connectMs }) => {
    const how = { alone, ...present({ connectMs }) };
    const { bofh, progress } = await openSession(runtime, { site: 'used', root: 'needed' });
    if (runtime.settings.mode === 'plan') return await planAll(runtime, bofh, how);
    const rows = await logged(
      runtime,
      bofh.host,
      () => withBofh(bofh, () => xen.startAll(how)),
      (all) =>
        `${String(all.filter((row) => row.error !== undefined).length)} of ${String(all.length)} failed`,
    );
    progress.end();
    const data: XenStartAll = rows.map(({ name, was, now, seconds, error, stuck }) => ({
      ...{ guest: name, was, now, seconds },
      ...present({ error, journal: stuck?.id }),
    }));
    give(runtime, {
      data,
      head: ['GUEST', 'WAS', 'NOW', 'SECONDS', 'ERROR'],
      rows: data.map((row) => [row.guest, row.was, row.now, String(row.seconds), row.error ?? '']),
      none: `no guest is configured in ${bofh.site.guestConfigDirs.join(', ')}`,
    });
    const left = rows.flatMap(({ stuck }) => stuck ?? []);
    // The table is the answer: what is left goes to stderr.
    for (const error of left) runtime.terminal.line(asText(explain(error, { root: runtime.root })));
    if (left.length > 0) return 3;
    return data.some((row) => row.error !== undefined) ? 6 : 0;
  },
});

/** The plan of the others also lists the guests that would be refused. */
async function planAll(
  runtime: Runtime,
  bofh: Bofh,
  how: NonNullable<Parameters<typeof xen.startAll>[0]>,
): Promise<number> {
  const { dryRun } = await import('../../plan/plan.ts');
  const body = async (_bofh: Bofh, found: Findings): Promise<void> => {
    for (const { name, error } of await xen.startAll(how))
      if (error !== undefined) found.refused.push({ what: name, why: error });
  };
  return await dryRun(runtime, bofh, body, ({ refused }) => (refused.length === 0 ? 0 : 6));
}
