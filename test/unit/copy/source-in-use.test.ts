import { describe, expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RolledBackError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';

const extent = 4 * 1024 ** 2;

function hostWithDevice(): SimulatedHost {
  const host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 4 });
  host.admin.format('/dev/vg0/web1', {
    ...{ type: 'ext4', usage: 'filesystem', uuid: '5e1f0000-0000-4000-8000-0000000000bb' },
  });
  host.admin.mkdir('/mnt');
  return host;
}

const acts: readonly (readonly [string, RegExp, (host: SimulatedHost) => void])[] = [
  ['mounted', /is in use/, (host) => host.admin.mount('/dev/vg0/web1', '/mnt')],
  [
    'given to a guest',
    /is in use/,
    (host) => {
      const number = `${host.world.dmMajor}:0`;
      host.admin.startDomain({ name: 'web1', disks: [{ vdev: 'xvda', path: '/dev/vg0/web1', number }] });
    },
  ],
  [
    'written to',
    /was written to while it was copied/,
    (host) => host.admin.writeBytes('/dev/vg0/web1', 4 * extent - 512, Buffer.from('new')),
  ],
];

/** Lets an administrator act while this program reads the device. */
function duringFirst(host: SimulatedHost, program: string, act: (host: SimulatedHost) => void): void {
  let isFirst = true;
  host.faults.watch(({ tool, argv }) => {
    if (!isFirst || ![tool, ...argv].includes(program)) return;
    isFirst = false;
    act(host);
  });
}

describe.each(acts)('a device that is %s while it is read', (_, message, act) => {
  it('is not copied onto another device', async () => {
    const host = hostWithDevice();
    duringFirst(host, 'qemu-img', act);

    const failed = withBofh(simulatedBofh({ host }), () =>
      atomic('copy', async (tx) => {
        const { path: device } = await tx.lvm.createLv({ vg: 'vg0', name: 'copy', size: 4 * extent });
        await tx.copy.image({ source: '/dev/vg0/web1', format: 'raw', device });
      }),
    );

    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toBeInstanceOf(RolledBackError);
    expect(await host.stat('/dev/vg0/copy')).toBeUndefined();
  });

  it('is not saved into a file', async () => {
    const host = hostWithDevice();
    duringFirst(host, 'zstd', act);

    const failed = withBofh(simulatedBofh({ host }), () =>
      atomic('save', (tx) => tx.copy.save({ device: '/dev/vg0/web1', file: '/root/web1.zst' })),
    );

    await expect(failed).rejects.toThrow(message);
    expect(await host.stat('/root/web1.zst')).toBeUndefined();
  });
});

const image = '/root/a.img';
const throughLoop = (host: SimulatedHost, act: (device: string) => void): void => {
  const device = host.admin.losetup(image);
  act(device);
  host.admin.detachLoop(device);
};

function hostWithImage(): SimulatedHost {
  const host = simulatedHost();
  host.admin.writeFile(image, Buffer.alloc(4 * extent));
  throughLoop(host, (device) =>
    host.admin.format(device, {
      ...{ type: 'ext4', usage: 'filesystem', uuid: '5e1f0000-0000-4000-8000-0000000000bb' },
    }),
  );
  return host;
}

const copyImage = (host: SimulatedHost): Promise<unknown> =>
  withBofh(simulatedBofh({ host }), () =>
    atomic('copy', async (tx) => {
      const { path: device } = await tx.lvm.createLv({ vg: 'vg0', name: 'copy', size: 4 * extent });
      await tx.copy.image({ source: image, format: 'raw', device });
    }),
  );

describe('an image file', () => {
  it('is not copied while a loop device of it is mounted, but while it is only attached', async () => {
    const host = hostWithImage();
    const loop = host.admin.losetup(image);
    host.admin.mount(loop, '/mnt');

    await expect(copyImage(host)).rejects.toThrow(/\/dev\/loop0 is in use: mounted on \/mnt/);
    expect(await host.stat('/dev/vg0/copy')).toBeUndefined();

    host.admin.umount('/mnt');
    await copyImage(host);
  });

  it.each<readonly [string, RegExp, (host: SimulatedHost) => void]>([
    ['mounted', /\/dev\/loop0 is in use/, (host) => host.admin.mount(host.admin.losetup(image), '/mnt')],
    [
      'written to',
      /was written to while it was copied/,
      (host) =>
        throughLoop(host, (device) => host.admin.writeBytes(device, 4 * extent - 512, Buffer.from('new'))),
    ],
  ])('that is %s while it is copied is an error', async (_, message, act) => {
    const host = hostWithImage();
    duringFirst(host, 'qemu-img', act);

    await expect(copyImage(host)).rejects.toThrow(message);
    expect(await host.stat('/dev/vg0/copy')).toBeUndefined();
  });
});
