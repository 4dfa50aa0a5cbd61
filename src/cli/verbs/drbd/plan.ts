import type { Bofh } from '../../../connect.ts';
import { UsageError } from '../../../core/errors.ts';
import { type Member, rebound } from '../../../replica/hosts.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/** Parses `--on web1,web2`. Throws UsageError for anything but two hosts. */
export function twoHosts(text: string): readonly [string, string] {
  const [a, b, ...more] = text.split(',').filter((each) => each !== '');
  if (a !== undefined && b !== undefined && more.length === 0) return [a, b];
  throw new UsageError(`--on ${text}: must be two hosts, for example web1,web2`);
}

/**
 * A dry run on simulated hosts whose DRBD is connected. Loads the simulator. Without members, only this host
 * is simulated.
 */
export async function planned<M extends readonly Member[] | undefined>(
  runtime: Runtime,
  { bofh, members }: { readonly bofh: Bofh; readonly members: M },
  body: (simulated: Bofh, members: M) => Promise<unknown>,
): Promise<number> {
  const { planOf, readJournals, showPlan } = await import('../../plan/plan.ts');
  const reached = new Map(
    (members ?? []).flatMap(({ place: name }) => {
      const place = name === bofh.host.name ? undefined : bofh.engine.place?.(name);
      return place === undefined ? [] : [[name, { place, left: 'something' as const }] as const];
    }),
  );
  const plan = await planOf(
    bofh,
    readJournals(bofh.engine.store),
    (simulated) => body(simulated, members === undefined ? members : rebound(members, simulated.engine)),
    reached,
  );
  showPlan(runtime, plan);
  return 0;
}
