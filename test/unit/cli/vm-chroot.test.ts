import { beforeEach, describe, expect, test } from 'vitest';
import type { BofhError } from '../../../src/core/errors.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { chroot } from '../../../src/copy/chroot.ts';
import { planTree } from '../../../src/vm/tree.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { bofhOn } from '../simulator/support.ts';
import { editFstab, hostWithData } from '../vm/tree-support.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

let host: SimulatedHost;
beforeEach(async () => {
  host = await hostWithData();
});

const typed = (line: string, options: Parameters<typeof testRuntime>[1] = {}) =>
  runVerb(testRuntime(simulatedBofh({ host, site: bofhOn(host).site }), options).runtime, line);

// What runs is in test/loop/vm-tree.test.ts: the program is started on the machine itself.
describe('vm chroot', () => {
  test('mounts like vm mount, and runs the command with its arguments', async () => {
    editFstab(host, (text) => `${text}/dev/xvdc /srv auto ro,noatime 0 2\n`);
    const { site } = bofhOn(host);

    const { tool, argv } = chroot(await planTree(host, { site, name: 'web1' }), ['ls', '-l', 'a b']);

    const [before, after] = [argv.slice(0, argv.indexOf('-c')), argv.slice(argv.indexOf('bofh'))];
    expect([tool, ...before]).toEqual([
      ...['setpriv', '--pdeathsig', 'KILL'],
      ...['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh'],
    ]);
    expect(after).toEqual([
      ...['bofh', '2'],
      ...['', 'ext4', 'rw,nosuid,nodev', '/dev/vg0/web1-root'],
      ...['/srv', 'xfs', 'ro,noatime,nosuid,nodev', '/dev/vg0/web1-data'],
      ...['ls', '-l', 'a b'],
    ]);
  });

  test.each<readonly [string, () => unknown, Parameters<typeof testRuntime>[1], RegExp]>([
    [
      'a running guest',
      () => typed('vm start web1'),
      {},
      /domain \d+ \(running\).*bofh vm stop web1; then run the command again/s,
    ],
    [
      'a guest that is mounted',
      () => typed('vm mount web1 /mnt'),
      {},
      /web1 is mounted on \/mnt bofh vm unmount web1/,
    ],
    ['a dry run', () => undefined, { dryRun: true }, /cannot plan what a command does/],
    ['an answer in JSON', () => undefined, { json: true }, /leave out --dry-run and --json/],
    ['another host', () => undefined, { host: 'beta' }, /ssh -t beta bofh vm chroot web1/],
    [
      'an fstab with a device that is none of its disks',
      () => editFstab(host, (text) => `${text}/dev/vda /srv ext4 defaults 0 2\n`),
      {},
      /mounts \/dev\/vda on \/srv/,
    ],
  ])('refuses %s before anything changes', async (_, arrange, options, why) => {
    await arrange();
    const before = host.snapshot();

    const { message, remedy = '' } = (await rejectionOf(
      typed('vm chroot web1 -- true', options),
    )) as BofhError;

    expect(`${message} ${remedy}`).toMatch(why);
    expect(host.snapshot()).toBe(before);
  });
});
