import { atomic, withBofh } from '../bofh.ts';
import { createReplica, planCreate } from '../replica/create.ts';
import { membersAt } from '../replica/hosts.ts';
import { checkCreate, type CheckedCreate } from '../replica/request.ts';
import { formatSize } from '../units.ts';
import { give } from './answer.ts';
import type { DrbdCreate } from './answers/index.ts';
import { defined, type Options, saidIn, wholeIn } from './options.ts';
import { addressesIn, planned, twoHosts } from './replica-plan.ts';
import { warnOfVersions } from './replica-versions.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';

/** `bofh drbd create NAME --on HOST,HOST --size SIZE` */
export async function create(runtime: Runtime, name: string, options: Options): Promise<number> {
  const request = requestOf(name, options);
  const { bofh, progress } = await openSession(runtime, { site: 'used', root: 'needed' });
  const { site, engine } = bofh;
  const members = await untilInterrupted(runtime, membersAt(engine, request.on));
  await warnOfVersions(runtime, members);
  if (runtime.settings.mode === 'plan')
    return await planned(runtime, { bofh, members }, async (simulated, again) => {
      const plan = await planCreate({ members: again, site, request });
      await atomic(`drbd create ${name}`, (tx) => createReplica(tx, simulated.engine, plan));
    });
  const made = await logged(runtime, bofh.host, async () => {
    const plan = await untilInterrupted(runtime, planCreate({ members, site, request }));
    return await withBofh(bofh, () => atomic(`drbd create ${name}`, (tx) => createReplica(tx, engine, plan)));
  });
  progress.end();
  const { device, size, primary, hosts } = made;
  const data: DrbdCreate = { resource: name, device, size, primary: primary ?? null, hosts: [...hosts] };
  give(runtime, { data, lines: inWords(data, request) });
  return 0;
}

function inWords(
  { resource, device, size, primary, hosts }: DrbdCreate,
  { initialSync }: CheckedCreate,
): readonly string[] {
  const roles =
    primary === null
      ? `it is primary nowhere: on one of the two, bofh drbd primary ${resource}`
      : `it is primary on ${primary}`;
  const sync =
    initialSync === 'skip'
      ? 'both are up to date'
      : `all of it is sent to the other host: bofh drbd wait-sync ${resource}`;
  return [
    `${device} (${formatSize(size)}) is there on both hosts; ${sync}; ${roles}`,
    ...hosts.map(({ name, lv, address, port }) => `  ${name}: on ${lv}, ${address} port ${String(port)}`),
  ];
}

/** What was typed, as a request. Throws UsageError for what cannot be meant. */
function requestOf(name: string, options: Options): CheckedCreate {
  const said = saidIn(options);
  const number = wholeIn(said);
  const address = said('address');
  return checkCreate(
    defined({
      name,
      on: twoHosts(said('on') ?? ''),
      size: said('size'),
      vg: said('vg'),
      addresses: address === undefined ? undefined : addressesIn(address),
      port: number('port'),
      minor: number('minor'),
      protocol: said('protocol'),
      initialSync: said('initialSync'),
      primary: said('primary'),
    }),
  );
}
