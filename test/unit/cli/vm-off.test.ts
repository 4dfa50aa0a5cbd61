import { beforeEach, expect, test } from 'vitest';
import type { BofhError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { jsonOn } from './support/run-verb.ts';

let host: SimulatedHost;
beforeEach(async () => {
  host = simulatedHost();
  host.addTar('/srv/root.tar', [{ path: 'etc', type: 'directory' }]);
  for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
  await typed(
    'vm create web1 --source tar:/srv/root.tar --size 64m --swap 16m --memory 128m --vg vg0 --kernel /boot/vmlinuz --ramdisk /boot/initrd',
  );
});

const typed = (line: string) => jsonOn(simulatedBofh({ host }), line, { yes: true });
const remedyOf = async (line: string) => ((await rejectionOf(typed(line))) as BofhError).remedy;

/** Commands for a guest that is off. */
const lines = [
  'vm clone web1 web2',
  'vm mount web1',
  'vm resize web1 root 32m',
  'vm disk remove web1 xvdb',
  'vm disk create web1 data --size 8m --vg vg0 --mount /srv',
  'vm rename web1 web2',
  'vm remove web1',
];

test.each([
  ['paused', /bofh vm resume web1|--force-off/],
  ['crashed', /xl destroy 1/],
  ['shutdown', /xl destroy 1/],
  ['dying', /wait until xl list no longer shows it/],
] as const)('the remedy for a domain that is %s works', async (state, remedy) => {
  await typed('vm start web1');
  host.admin.setDomain('web1', state);

  for (const line of lines) {
    const said = await remedyOf(line);
    expect([line, said]).toEqual([line, expect.stringMatching(remedy)]);
    if (state !== 'paused') expect([line, said]).not.toEqual([line, expect.stringContaining('vm stop')]);
  }
});

test('a snapshot is not restored while the domain of the guest is crashed', async () => {
  await typed('vm snapshot create web1 before');
  await typed('vm start web1');
  host.admin.setDomain('web1', 'crashed');

  const error = (await rejectionOf(typed('vm snapshot restore web1 before'))) as BofhError;

  expect(error.message).toMatch(/web1 exists as domain 1 \(crashed\)/);
  expect(error.remedy).toMatch(/xl destroy 1/);
});
