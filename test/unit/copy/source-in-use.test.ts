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
