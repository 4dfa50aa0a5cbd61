import * as xen from '../../../api/xen.ts';
import { type Bofh, withBofh } from '../../../bofh.ts';
import { type Answer, give } from '../../output/answer.ts';
import { change } from '../../runtime/change.ts';
import { explain } from '../../errors/explain.ts';
import { asText } from '../../errors/explanation.ts';
import type { XenList, XenStart, XenStartAll } from '../../output/answers/index.ts';
import type { Options } from '../../runtime/options.ts';
import type { Findings } from '../../plan/plan.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';
import { parseDuration } from '../../runtime/settings.ts';
import { logged } from '../../runtime/system-log.ts';
import { printable } from '../../output/text.ts';
import { stateWords } from '../../../xen/index.ts';

/** `bofh xen list`: exit 6 when a config file could not be read, for then a guest may be missing. */
export async function list(runtime: Runtime): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'used', root: 'not-needed' });
  const { guests, problems } = await withBofh(bofh, () => xen.list());
  const data: XenList = guests.map((guest) => ({
    name: guest.name,
    state: guest.state,
    domid: guest.domid ?? null,
    uuid: guest.uuid ?? null,
    memoryMiB: guest.memoryMiB,
    vcpus: guest.vcpus,
    config: guest.config ?? null,
  }));
  give(runtime, {
    data,
    head: ['GUEST', 'STATE', 'DOMAIN', 'MEMORY', 'VCPUS', 'CONFIGURATION'],
    rows: data.map((row, index) => [
      row.name,
      inWords(guests[index]?.state ?? 'off'),
      row.domid === null ? '-' : String(row.domid),
      `${String(row.memoryMiB)} MiB`,
      String(row.vcpus),
      row.config ?? '-',
    ]),
    none: `no guest is configured in ${bofh.site.guestConfigDirs.join(', ')}, and none runs`,
  });
  for (const { message } of problems) runtime.terminal.line(`bofh: ${printable(message)}`);
  return problems.length === 0 ? 0 : 6;
}

function inWords(state: xen.GuestRow['state']): string {
  return state === 'off' ? state : stateWords[state];
}

/** `bofh xen start NAME` */
export async function start(runtime: Runtime, name: string, options: Options = {}): Promise<number> {
  const how = howOf(options);
  const verb = {
    act: () => xen.start(name, how),
    answer: ({ domid }: { readonly domid: number }): Answer<XenStart> => ({
      data: { name, domid },
      lines: [`${name} runs as domain ${String(domid)}`],
    }),
  };
  return change(runtime, verb, { site: 'used' });
}

/** `bofh xen start-all`: exit 6 when one failed, 3 when one could not be undone. */
export async function startAll(runtime: Runtime, options: Options = {}): Promise<number> {
  const how = howOf(options);
  const { bofh, progress } = await openSession(runtime, { site: 'used', root: 'needed' });
  if (runtime.settings.mode === 'plan') return await planAll(runtime, bofh, how);
  const rows = await logged(
    runtime,
    bofh.host,
    () => withBofh(bofh, () => xen.startAll(how)),
    (all) => `${String(all.filter((row) => row.error !== undefined).length)} of ${String(all.length)} failed`,
  );
  progress.end();
  const data: XenStartAll = rows.map(({ name, was, now, seconds, error, stuck }) => ({
    guest: name,
    was,
    now,
    seconds,
    ...(error === undefined ? {} : { error }),
    ...(stuck?.id === undefined ? {} : { journal: stuck.id }),
  }));
  give(runtime, {
    data,
    head: ['GUEST', 'WAS', 'NOW', 'SECONDS', 'ERROR'],
    rows: data.map((row) => [row.guest, row.was, row.now, String(row.seconds), row.error ?? '']),
    none: `no guest is configured in ${bofh.site.guestConfigDirs.join(', ')}`,
  });
  const left = rows.flatMap(({ stuck }) => stuck ?? []);
  // The table is the answer: what is left is told beside it.
  for (const error of left) runtime.terminal.line(asText(explain(error, { root: runtime.root })));
  if (left.length > 0) return 3;
  return data.some((row) => row.error !== undefined) ? 6 : 0;
}

type How = NonNullable<Parameters<typeof xen.start>[1]>;

function howOf({ alone, time }: Options): How {
  return {
    ...(alone === true ? { alone } : {}),
    ...(typeof time === 'string' ? { connectMs: parseDuration(time) } : {}),
  };
}

/** Guests that would be refused are told in the plan of the others. */
async function planAll(runtime: Runtime, bofh: Bofh, how: How): Promise<number> {
  const { dryRun } = await import('../../plan/plan.ts');
  const body = async (_bofh: Bofh, found: Findings): Promise<void> => {
    for (const { name, error } of await xen.startAll(how))
      if (error !== undefined) found.refused.push({ what: name, why: error });
  };
  return await dryRun(runtime, bofh, body, ({ refused }) => (refused.length === 0 ? 0 : 6));
}
