import { beforeEach, describe, expect, test } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import type { BofhError } from '../../../src/core/errors.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { bofhOn, hostWithSource, vmCreate } from '../simulator/support.ts';
import { typedOn } from './support/run-verb.ts';

const mib = 1024 ** 2;
let host: SimulatedHost;
beforeEach(async () => {
  host = hostWithSource();
  await vmCreate(bofhOn(host), { start: false });
});

const typed = async (line: string, json = true) =>
  (await typedOn(simulatedBofh({ host, site: bofhOn(host).site }), line, { json })).stdout;

const resize = async (words: string) =>
  answers.vmResize.parse(JSON.parse(await typed(`vm resize web1 ${words}`)));
const edit = (how: (text: string) => string): void =>
  host.admin.writeFile('/etc/xen/web1.cfg', how(host.admin.readFile('/etc/xen/web1.cfg')));
const sizes = ({ layers }: answers.VmResize) => layers.map(({ to }) => to / mib);

describe('vm resize', () => {
  test.each(['root', 'xvda', '/dev/xvda'])(
    'grows %s of a stopped guest with its filesystem',
    async (disk) => {
      const made = await resize(`${disk} +32m`);

      expect(made).toMatchObject({ name: 'web1', disk: 'xvda', device: '/dev/vg0/web1-root', domid: null });
      expect(sizes(made)).toEqual([96, 96]);
    },
  );

  test('shrinks it to the least', async () => {
    const made = await resize('root min');

    expect(sizes(made)[0]).toBeLessThan(64);
    expect(new Set(sizes(made)).size).toBe(1);
  });

  test('names a command that resizes a disk without known content', async () => {
    host.admin.format('/dev/vg0/web1-root', undefined);
    const bare = 'bofh block resize --bare /dev/mapper/vg0-web1--root SIZE';

    const { remedy = '' } = (await rejectionOf(resize('root 96m'))) as BofhError;

    expect(remedy).toBe(`to resize only the device: ${bare}`);
    expect(await typed(bare.replace('bofh ', '').replace('SIZE', '96m'), false)).toContain('64 MiB → 96 MiB');
  });

  test('grows only the disk of a running guest, and says how to grow the rest', async () => {
    await typed('vm start web1');

    const said = await typed('vm resize web1 root 96m', false);

    expect(said).toContain('the logical volume vg0/web1-root: 64 MiB → 96 MiB');
    expect(said).toContain('web1 runs, so the filesystem on xvda did not grow');
    expect(said).not.toMatch(/ext4/);
    expect(await typed('vm resize web1 root 96m', false)).toBe('nothing to do: every layer keeps its size\n');
  });

  test('takes the root that the configuration names, not the first disk', async () => {
    edit((text) => text.replace(',xvda,w', ',xvdc,w').replace('/dev/xvda', '/dev/xvdb'));

    const error = (await rejectionOf(resize('root +8m'))) as BofhError;

    expect(error.message).toMatch(/a swap area/);
  });

  test('takes the first disk if a bootloader finds the root', async () => {
    edit((text) => text.replace(/^root.*\n/m, '').replace(/^kernel.*\n/m, 'bootloader = "pygrub"\n'));

    expect((await resize('root +8m')).disk).toBe('xvda');
  });

  test.each<readonly [string, () => unknown, string, RegExp]>([
    [
      'a guest that is not configured',
      () => host.admin.rename('/etc/xen/web1.cfg', '/etc/xen/web1.off'),
      'root +8m',
      /no guest web1 is configured/,
    ],
    [
      'a disk that it has not',
      () => undefined,
      'xvdz +8m',
      /web1 has no disk xvdz.*name one of its disks: xvda, xvdb/s,
    ],
    [
      'a root that is none of its disks',
      () => edit((text) => text.replace('/dev/xvda', 'UUID=x')),
      'root +8m',
      /does not say which disk has the root filesystem of web1: root=UUID=x/,
    ],
    [
      'a smaller disk of a running guest',
      () => typed('vm start web1'),
      'root 32m',
      /can only grow.*bofh vm stop web1/s,
    ],
    ['the least of a running guest', () => typed('vm start web1'), 'root min', /can only grow/],
    [
      'a disk that DRBD attaches by name',
      () => edit((text) => text.replace('phy:/dev/vg0/web1-root', 'drbd:web1')),
      'root +8m',
      /xvda of web1 is drbd:web1.*bofh drbd grow/s,
    ],
    ['swap', () => undefined, 'xvdb +8m', /no content to keep/],
    ['a size that is none', () => undefined, 'root big', /"big" is not a size/],
    [
      'a disk that is not there',
      () => host.admin.lvrename('vg0', 'web1-root', 'other'),
      'root +8m',
      /no such device/,
    ],
    [
      'a disk in a file',
      () =>
        edit((text) =>
          text.replace('phy:/dev/vg0/web1-root', '/srv/debian.tar').replace(',xvda,w', ',raw,xvda,w'),
        ),
      'root +8m',
      /not a block device but a file/,
    ],
  ])('refuses %s before anything changes', async (_, arrange, words, why) => {
    await arrange();
    const before = host.snapshot();

    const error = (await rejectionOf(resize(words))) as BofhError;

    expect(`${error.message} ${error.remedy ?? ''}`).toMatch(why);
    expect(host.snapshot()).toBe(before);
  });
});
