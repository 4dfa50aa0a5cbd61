import { afterEach, beforeEach, expect, test } from 'vitest';
import { localHost } from '../../src/host/local.ts';
import { type StackDevice, stackTree, tree } from '../../src/stack/index.ts';
import { sh, storage } from './sequence.ts';

let disk: ReturnType<typeof storage>;
beforeEach(() => {
  disk = storage();
});
afterEach(() => {
  disk.clean();
});

const host = localHost();

async function devicesOf(device: string): Promise<readonly StackDevice[]> {
  const made = await tree({ host, device });
  expect(stackTree.parse(made)).toEqual(made);
  return made.devices;
}

function at(devices: readonly StackDevice[], path: string): StackDevice | undefined {
  return devices.find((one) => one.path === path);
}

test('a loop device over a file in a filesystem on another loop device is above that device', async () => {
  const outer = disk.ext4('outer image', { mebibytes: 64 });
  const mounted = disk.makeDir('odd mount');
  sh('mount', outer.device, mounted);
  sh('truncate', '-s', '8M', `${mounted}/inner`);
  sh('mkfs.ext4', '-q', '-L', 'inner one', `${mounted}/inner`);
  const inner = sh('losetup', '--find', '--show', `${mounted}/inner`).trim();
  try {
    const below = await devicesOf(outer.device);
    const above = await devicesOf(inner);

    expect(at(below, outer.device)).toMatchObject({
      content: { type: 'ext4', uuid: outer.filesystem },
      uses: [{ kind: 'mount', path: mounted }],
      above: [at(below, inner)?.id],
    });
    expect(at(above, inner)).toMatchObject({
      size: 8 * 1024 ** 2,
      content: { type: 'ext4', label: 'inner one' },
      below: [at(above, outer.device)?.id],
    });
  } finally {
    sh('losetup', '--detach', inner);
  }
});

test('refuses a path that is no device, and one that does not exist', async () => {
  await expect(tree({ host, device: disk.path('nothing') })).rejects.toThrow(/no such device/);
  await expect(tree({ host, device: disk.dir })).rejects.toThrow(/not a block device/);
});
