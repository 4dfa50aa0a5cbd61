import { planningResource } from '../../../api/planning.ts';
import { atomic } from '../../../bofh.ts';
import { present } from '../../../core/present.ts';
import { formatSize, parseSize } from '../../../core/units.ts';
import { type CreatedReplica, createReplica, planCreate } from '../../../replica/create.ts';
import { type Members, membersAt } from '../../../replica/hosts.ts';
import { checkCreate, type CheckedCreate } from '../../../replica/request.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdCreate } from '../../output/answers/index.ts';
import { untilInterrupted } from '../../runtime/session.ts';
import { named, oneOf, value, verb } from '../../runtime/verb.ts';
import { address, minor, port, protocol } from './options.ts';
import { twoHosts } from './plan.ts';
import { changeUnasked } from './recipe.ts';
import { warnOfVersions } from './versions.ts';

export default verb({
  changes: true,
  answers: 'drbd create',
  args: { name: ['<resource>', 'name of the new resource'] },
  options: {
    on: value('<HOST,HOST>', 'the two hosts, as ssh or the site file names them', {
      required: true,
      read: twoHosts,
    }),
    size: value(
      '<SIZE>',
      'size of the device; its logical volumes also hold the metadata and are a little larger',
      {
        required: true,
        read: named(parseSize),
      },
    ),
    vg: value('<NAME>', 'volume group on both hosts (default: volumeGroup of the site file)'),
    peerVg: value('<NAME>', 'volume group on the second host (default: the same)'),
    address,
    port,
    minor,
    protocol,
    initialSync: value(
      '<HOW>',
      'skip: no resync, because bofh creates both volumes filled with zeros; full: send all data',
      {
        read: oneOf('skip', 'full'),
        default: 'skip',
      },
    ),
    primary: value('<HOST>', 'host that becomes primary'),
  },
  examples: ['drbd create web1 --on host1,host2 --size 10g --primary host1'],
  run: (runtime, { address: addresses, ...typed }) => {
    const request = checkCreate(present({ ...typed, addresses }));
    const { name } = request;
    return changeUnasked<Members, CreatedReplica, DrbdCreate>(runtime, async (bofh) => {
      const both = await membersAt(bofh.engine, request.on);
      await warnOfVersions(runtime, both);
      return {
        members: both,
        act: async ({ site, engine }, members) => {
          const planned = planningResource('drbd.create', name, () => planCreate({ members, site, request }));
          const plan = await untilInterrupted(runtime, planned);
          return await atomic(`drbd create ${name}`, (tx) => createReplica(tx, engine, plan));
        },
        answer: ({ device, size, primary, hosts }): Answer<DrbdCreate> => {
          const data = { resource: name, device, size, primary: primary ?? null, hosts: [...hosts] };
          return { data, lines: inWords(data, request) };
        },
      };
    });
  },
});

function inWords(
  { resource, device, size, primary, hosts }: DrbdCreate,
  { initialSync }: CheckedCreate,
): readonly string[] {
  const roles =
    primary === null
      ? `it is not primary on any host; on one of the two: bofh drbd primary ${resource}`
      : `it is primary on ${primary}`;
  const sync =
    initialSync === 'skip'
      ? 'both are up to date'
      : `all data is being sent to the other host; to wait for that: bofh drbd wait-sync ${resource}`;
  return [
    `created ${device} (${formatSize(size)}) on both hosts; ${sync}; ${roles}`,
    ...hosts.map(({ name, lv, address, port }) => `  ${name}: on ${lv}, ${address} port ${String(port)}`),
  ];
}
