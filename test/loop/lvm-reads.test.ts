import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, copyFileSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { groupsOfPvs, knownGroups } from '../../src/blockdevice/commands.ts';
import { BofhError, ParseError } from '../../src/core/errors.ts';
import { localHost } from '../../src/host/local.ts';
import { lvs as allLvs, pvs as allPvs, usableVg, vgs as allVgs } from '../../src/lvm/index.ts';
import { lvs, pvs, vgs } from '../../src/lvm/report-commands.ts';
import { rejectionOf } from '../support/rejection.ts';
import { sh, storage } from './sequence.ts';

const hasLvm = spawnSync('lvm', ['version']).status === 0;

let disk: ReturnType<typeof storage>;
let devices: readonly string[] = [];
let env: Readonly<Record<string, string>> = {};

beforeEach(() => {
  disk = storage();
  devices = ['one', 'two'].map((name) => disk.blank(name, 32));
  const accepted = devices.map((device) => `"a|^${device}$|"`).join(', ');
  writeFileSync(
    `${disk.makeDir('lvm')}/lvm.conf`,
    `devices { use_devicesfile=0 obtain_device_list_from_udev=0 global_filter=[${accepted}, "r|.*|"] }
     backup { backup=0 archive=0 }
     activation { udev_sync=0 udev_rules=0 monitoring=0 }\n`,
  );
  env = { LVM_SYSTEM_DIR: disk.path('lvm'), LVM_SUPPRESS_FD_WARNINGS: '1' };
});
afterEach(() => disk.clean());

/** Without device-mapper, which these machines need not have, and on the devices of the test alone. */
const lvm = (...argv: readonly string[]) =>
  execFileSync('lvm', [...argv, '--driverloaded', 'n'], { env: { ...process.env, ...env }, stdio: 'pipe' });

const sums = () =>
  ['one', 'two'].map((name) =>
    createHash('sha256')
      .update(readFileSync(disk.path(name)))
      .digest('hex'),
  );

/** Another content of the file behind a device, which the kernel is to read again. */
function replaced(name: 'one' | 'two', change: () => void): void {
  const device = devices[name === 'one' ? 0 : 1] ?? '';
  sh('losetup', '--detach', device);
  change();
  sh('losetup', device, disk.path(name));
}

describe.skipIf(!hasLvm)('the reports of lvm', () => {
  test.each([
    [
      'the second of which has older metadata',
      () => copyFileSync(disk.path('older'), disk.path('two')),
      'two',
    ],
    [
      'the first of which has damaged metadata',
      () => {
        const file = openSync(disk.path('one'), 'r+');
        writeSync(file, 'XXXXXXXXXXXXXXXX', 4096 + 520);
        closeSync(file);
      },
      'one',
    ],
  ] as const)('change no byte of two devices %s', async (_, damage, name) => {
    lvm('pvcreate', '-qq', ...devices);
    lvm('vgcreate', '-qq', 'bofhreads', ...devices);
    copyFileSync(disk.path('two'), disk.path('older'));
    lvm('vgchange', '-qq', '--addtag', 'newer', 'bofhreads');
    replaced(name, damage);
    const before = sums();
    const host = localHost({ env, lvmConfig: ['--driverloaded', 'n'] });

    let answers = 0;
    for (const command of [knownGroups(), groupsOfPvs(), vgs(), lvs(), pvs()])
      try {
        await host.run<unknown>(command);
        answers += 1;
      } catch (error) {
        if (!(error instanceof BofhError)) throw error;
      }

    // They were run, and have read these devices.
    expect(answers).toBeGreaterThan(0);
    expect(sums()).toEqual(before);
  });

  test('name the commands that restore a group whose last change has no text copy', async () => {
    lvm('pvcreate', '-qq', devices[0] ?? '');
    lvm('vgcreate', '-qq', 'bofhtorn', devices[0] ?? '');
    const make = [
      'lvcreate',
      '-qq',
      '--activate',
      'n',
      '--zero',
      'n',
      '--wipesignatures',
      'n',
      '--extents',
      '1',
    ];
    lvm(...make, '--name', 'one', 'bofhtorn');
    lvm(...make, '--name', 'two', 'bofhtorn');
    const headers = String(lvm('pvck', '--dump', 'headers', devices[0] ?? ''));
    const at = Number(/metadata text at (?<at>\d+) /.exec(headers)?.groups?.['at']);
    replaced('one', () => {
      const file = openSync(disk.path('one'), 'r+');
      writeSync(file, Buffer.alloc(512), 0, 512, at);
      closeSync(file);
    });
    const before = sums();
    // `lvm fullreport` takes no option in front.
    const host = localHost({ env });

    const errors = await Promise.all(
      [allLvs, allVgs, allPvs, (one: typeof host) => usableVg(one, 'bofhtorn')].map((ask) =>
        rejectionOf(ask(host)),
      ),
    );

    expect(sums()).toEqual(before);
    const remedies = new Set(errors.map((error) => (error instanceof ParseError ? error.remedy : undefined)));
    expect([...remedies], errors.join('\n')).toHaveLength(1);
    const [dump = '', repair = ''] = String([...remedies][0])
      .replaceAll('/root/bofhtorn.metadata', disk.path('metadata'))
      .split('; ');
    lvm(...dump.split(' '));
    lvm(...repair.split(' '), '--yes');
    expect((await allLvs(host)).map(({ name }) => name)).toEqual(['one']);
  });
});
