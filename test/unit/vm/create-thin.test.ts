import { beforeEach, describe, expect, test } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';

const create = [
  'vm create web1 --source tar:/srv/root.tar --size 256m --swap 64m --memory 128m --vg vg0',
  '--kernel /boot/vmlinuz --ramdisk /boot/initrd',
].join(' ');
const kib = 1024;

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.addTar('/srv/root.tar', [
    { path: 'etc', type: 'directory' },
    { path: 'etc/motd', type: 'file', content: 'hello\n'.repeat(kib) },
  ]);
  for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
  host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 16 });
});

const run = (words: string, yes = false) =>
  runVerb(testRuntime(simulatedBofh({ host }), { yes }).runtime, words);
const volumes = () =>
  host.world.lvm.flatMap(({ lvs }) => lvs).flatMap((lv) => (lv.pool === undefined ? [] : [lv.name]));

describe('bofh vm create --thin', () => {
  test('creates root and swap in the pool, larger together than the pool, and vm remove removes them', async () => {
    const before = host.snapshot();

    expect(await run(`${create} --thin pool`)).toBe(0);
    expect(volumes()).toEqual(['web1-root', 'web1-swap']);

    expect(await run('vm remove web1', true)).toBe(0);
    expect(host.snapshot()).toBe(before);
  });

  test.each([
    ['a pool that does not exist', '--thin nopool', 'there is no logical volume vg0/nopool'],
    ['a volume that is no pool', '--thin linear', 'vg0/linear is not a thin pool (linear)'],
    ['a pool with its group', '--thin vg0/pool', '--thin: "vg0/pool" is not the name of a pool'],
    ['a pool that is full', '--thin full', 'the pool vg0/full is full (data 96 %'],
    ['a pool with --drbd', '--thin pool --drbd there', "cannot be used with option '--drbd <HOST>'"],
  ])('refuses %s and changes nothing', async (_, option, message) => {
    host.admin.lvcreate({ vg: 'vg0', name: 'linear', extents: 1 });
    host.admin.thinPool({ vg: 'vg0', name: 'full', extents: 1 });
    host.admin.fill('vg0', 'full', { data: 96 });
    const before = host.snapshot();

    const error = await rejectionOf(run(`${create} ${option}`));
    expect(String(error)).toContain(message);

    expect(host.snapshot()).toBe(before);
  });

  test('refuses an archive that does not fit into the pool, with a remedy that works', async () => {
    host.addTar('/srv/root.tar', [{ path: 'data', type: 'file', content: 'x'.repeat(80 * kib * kib) }]);

    const error = await rejectionOf(run(`${create} --thin pool`));
    const remedy = /bofh (?<words>lvm pool resize \S+ --size \S+)/.exec(
      (error as { readonly remedy?: string }).remedy ?? '',
    )?.groups?.words;

    expect(String(error)).toContain('the pool vg0/pool has 64 MiB free');
    expect(await run(remedy ?? '')).toBe(0);
    expect(await run(`${create} --thin pool`)).toBe(0);
  });
});

test('a request with thin and drbd is a usage error', async () => {
  const { checkCreate } = await import('../../../src/vm/create-request.ts');
  const request = { name: 'a', source: { type: 'tar', path: '/x' }, size: '1g', memory: '128m' };

  expect(() => checkCreate({ ...request, thin: 'pool', drbd: 'b' })).toThrow(UsageError);
});
