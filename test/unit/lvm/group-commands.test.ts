import { describe, expect, test } from 'vitest';
import { pvchange, pvcreate, pvremove } from '../../../src/lvm/pv-commands.ts';
import { vgcreate, vgextend, vgreduce, vgremove, vgrename } from '../../../src/lvm/vg-commands.ts';

const udev = { udev: 'running' } as const;
const uuid = 'gVyEh7-Gy1s-Mlc3-eoOX-crPm-43uQ-WMibEw';
const tag = 'bofh.0a1b2c3d4e5f.1';
const device = '/dev/vdz';

const commands = {
  pvcreate: pvcreate({ device, uuid, ...udev }),
  pvremove: pvremove({ device, ...udev }),
  pvchange: pvchange({ device, tags: ['slow', 'old'], allocatable: false, ...udev }),
  vgcreate: vgcreate({
    ...{ name: 'vg1', devices: [device, '/dev/vdy'], extentSize: 4194304, tags: [tag, 'site'] },
    ...udev,
  }),
  vgextend: vgextend({ name: 'vg1', devices: [device], ...udev }),
  vgreduce: vgreduce({ name: 'vg1', devices: [device], ...udev }),
  vgremove: vgremove({ name: 'vg1', uuid, tag, ...udev }),
  vgrename: vgrename({ uuid, to: 'vg2', ...udev }),
};

describe('the commands of devices and groups', () => {
  test.each<readonly [keyof typeof commands, readonly string[]]>([
    ['pvcreate', ['--uuid', uuid, '--norestorefile', device]],
    ['pvremove', [device]],
    ['pvchange', ['--addtag', 'slow', '--addtag', 'old', '--allocatable', 'n', device]],
    [
      'vgcreate',
      [
        ...['--addtag', tag, '--addtag', 'site', '--physicalextentsize', '4194304b'],
        ...['vg1', device, '/dev/vdy'],
      ],
    ],
    ['vgextend', ['vg1', device]],
    ['vgreduce', ['vg1', device]],
    ['vgrename', [uuid, 'vg2']],
    ['vgremove', ['--select', `vg_uuid=${uuid} && vg_tags={${tag}} && lv_count=0`, 'vg1']],
  ])('%s', (tool, argv) => {
    expect(commands[tool]).toMatchObject({ tool, argv });
  });

  test('never force, and never answer a question', () => {
    const words = Object.values(commands).flatMap(({ argv }) => argv);
    expect(words.filter((word) => /^(?:-y|--yes|-f+|--force)$/.test(word))).toEqual([]);
  });

  test('that lose data are marked so, and none waits for a missing udevd', () => {
    const destroying = Object.values(commands).filter(({ access }) => access === 'destroy');
    expect(destroying.map(({ tool }) => tool)).toEqual(['pvremove', 'vgremove']);
    expect(pvremove({ device, udev: 'absent' }).argv).toEqual([
      '--config',
      'activation{udev_sync=0 udev_rules=0}',
      device,
    ]);
  });

  // Said by lvm2 2.03.16.
  test.each([
    ['  No device found for /dev/nope.\n', 'not-found'],
    ['  UUID X already in use on "/dev/loop0".\n', 'exists'],
    ['  A volume group called vg1 already exists.\n', 'exists'],
    ['  /dev/null: already exists in filesystem\n', 'exists'],
    ["  Physical volume '/dev/loop0' is already in volume group 'vg1'\n", 'busy'],
    ["  Can't open /dev/loop1 exclusively.  Mounted filesystem?\n", 'busy'],
    ['  PV /dev/loop4 is used by VG vg0 so please use vgreduce first.\n', 'busy'],
    ['  Physical volume "/dev/loop1" still in use\n', 'busy'],
    ['  Failed to find physical volume "/dev/loop1".\n', 'not-found'],
    ['  No PV found on device /dev/loop1.\n', 'unknown'],
  ])('explain their failure: %s', (stderr, reason) => {
    expect(commands.vgextend.classify?.({ exitCode: 5, stdout: '', stderr })).toBe(reason);
  });
});
