import { atomic } from '../../../bofh.ts';
import { type CreatedReplica, createReplica, planCreate } from '../../../replica/create.ts';
import { type Members, membersAt } from '../../../replica/hosts.ts';
import { checkCreate, type CheckedCreate } from '../../../replica/request.ts';
import { formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdCreate } from '../../output/answers/index.ts';
import { defined, type Options, saidIn, wholeIn } from '../../runtime/options.ts';
import { made } from './changed.ts';
import { addressesIn, twoHosts } from './plan.ts';
import { warnOfVersions } from './versions.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { untilInterrupted } from '../../runtime/session.ts';

/** `bofh drbd create NAME --on HOST,HOST --size SIZE` */
export async function create(runtime: Runtime, name: string, options: Options): Promise<number> {
  const request = requestOf(name, options);
  return made<Members, CreatedReplica>(runtime, async (bofh) => {
    const both = await membersAt(bofh.engine, request.on);
    await warnOfVersions(runtime, both);
    return {
      members: both,
      act: async ({ site, engine }, members) => {
        const plan = await untilInterrupted(runtime, planCreate({ members, site, request }));
        return await atomic(`drbd create ${name}`, (tx) => createReplica(tx, engine, plan));
      },
      answer: ({ device, size, primary, hosts }): Answer<DrbdCreate> => {
        const data = { resource: name, device, size, primary: primary ?? null, hosts: [...hosts] };
        return { data, lines: inWords(data, request) };
      },
    };
  });
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
