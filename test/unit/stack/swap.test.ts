import { expect, it } from 'vitest';
import * as block from '../../../src/api/block.ts';
import * as filesystem from '../../../src/api/filesystem.ts';
import { withBofh } from '../../../src/bofh.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

const mib = 1024 ** 2;
const uuid = '0c0ffee0-0000-4000-8000-000000000001';
const device = '/dev/vg0/swap';

function host(): SimulatedHost {
  const there = simulatedHost({ volumeGroups: [{ name: 'vg0', size: 512 * mib }] });
  there.admin.lvcreate({ vg: 'vg0', name: 'swap', extents: 16 });
  there.admin.format(device, { type: 'swap', usage: 'other', uuid, label: 'more swap', version: '1' });
  return there;
}

const anew = new RegExp(
  `^swapoff \\S+swap; bofh block wipe \\S+ --overwrite ${uuid}; bofh block resize --bare \\S+ SIZE; ` +
    `bofh filesystem create \\S+ --type swap --uuid ${uuid} --label 'more swap'; swapon \\S+$`,
);

it.each([
  ['smaller', { to: { by: -16 * mib } }],
  ['larger', { to: { by: 16 * mib } }],
  ['as large as can be', { to: 'max' }],
  ['smaller by itself', { to: { by: -16 * mib }, what: 'device' }],
] as const)('a swap area made %s is refused, with the commands to recreate it', async (_, request) => {
  const there = host();

  const resizing = withBofh(simulatedBofh({ host: there }), () => block.resize({ device, ...request }));
  const error = await rejectionOf(resizing);

  expect(error).toBeInstanceOf(RefusedError);
  expect(error).toHaveProperty('remedy', expect.stringMatching(anew));
  expect(there.changes).toEqual([]);
});

it('gets the size after those commands', async () => {
  const there = host();

  await withBofh(simulatedBofh({ host: there }), async () => {
    await block.wipe({ device, overwrite: [uuid] });
    await block.resize({ device, to: { by: -16 * mib }, what: 'device' });
    await filesystem.create({ device, type: 'swap', uuid });
    expect(await filesystem.show(device)).toMatchObject({ type: 'swap', uuid, size: 48 * mib });
  });
});
