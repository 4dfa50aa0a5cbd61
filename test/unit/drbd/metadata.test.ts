import { describe, expect, it } from 'vitest';
import { closedJournals } from '../../../src/atomic/journal/scan.ts';
import { undo } from '../../../src/api/undo.ts';
import { withBofh } from '../../../src/bofh.ts';
import { blockSize, blocksAt, createMd, writeDeviceUuid } from '../../../src/drbd/metadata-commands.ts';
import { areaOf, dataAt, superblockOf } from '../../../src/drbd/metadata.ts';
import { dataSize } from '../../../src/drbd/index.ts';
import { ParseError, RolledBackError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { withBytes } from '../../../src/simulator/tools/blockdevice/sectors.ts';
import { device, on, refused, replicated, resourceText, up } from './support.ts';

const name = 'web1';
const size = 64 * 1024 ** 2;
const area = areaOf(size, {});
const old = '3bde6cc090b8231e';
const boom = new Error('boom');

/** Configured, with the module loaded and nothing on its disk. */
function blank(): SimulatedHost {
  const host = replicated();
  host.admin.format(device, undefined);
  host.world.drbd.module = 'loaded';
  return host;
}

function filled(blocks = 1024): SimulatedHost {
  const host = blank();
  host.admin.format(device, {
    ...({ type: 'ext4', usage: 'filesystem', version: '1.0', blockSize: 4096, blocks } as const),
    uuid: '5e1f0000-0000-4000-8000-0000000000aa',
  });
  return host;
}

const bytes = (host: SimulatedHost, from = area.from, count = area.length) =>
  host.run(blocksAt(device, { from, count }));

const signature = (host: SimulatedHost) => host.world.live.get(storageOf(host))?.superblock;

function storageOf(host: SimulatedHost): string {
  const lv = host.world.lvm.flatMap(({ lvs }) => lvs).find((each) => each.name === 'web1-root');
  return `lv:${lv?.uuid ?? ''}`;
}

async function undone(host: SimulatedHost, act: (tx: Tx) => Promise<unknown>): Promise<void> {
  const [before, was] = [host.snapshot(), await bytes(host)];
  const failed = on(host, async (tx) => {
    await act(tx);
    expect(await bytes(host)).not.toEqual(was);
    throw boom;
  });
  await expect(failed).rejects.toBeInstanceOf(RolledBackError);
  expect(host.snapshot()).toBe(before);
  expect(await bytes(host)).toEqual(was);
}

/** Writes the superblock that drbdmeta of DRBD 9 writes (9.22). */
function writeNine(host: SimulatedHost): void {
  const block = Buffer.alloc(blockSize);
  block.write('ffffffffffffffff', 48, 'hex');
  block.writeUInt32BE(0x8374026d, 60);
  host.world.live.set(storageOf(host), withBytes({}, superblockOf(area), block));
}

const create =
  (more: object = {}) =>
  (tx: Tx) =>
    tx.drbd.createMetadata({ name, ...more });

const generation = { uuid: '5e1f0000000000a0', peers: [1] };

describe('tx.drbd.createMetadata', () => {
  it('reports whose data the device has, which is up to date then', async () => {
    const host = blank();
    await on(host, create({ generation }));
    expect(await dataAt(host, { device, area })).toMatchObject({
      ...{ generation: generation.uuid, size: area.from },
    });
    host.admin.drbdadm('up', name);
    expect(host.world.drbd.resources[0]?.volumes[0]?.disk).toBe('UpToDate');
    await undone(blank(), create({ generation }));
    const none = blank();
    await on(none, create());
    expect(await dataAt(none, { device, area })).toMatchObject({ generation: undefined, size: 0 });
  });

  it('is undone when drbdmeta reports success and does nothing', async () => {
    const host = blank();
    const before = host.snapshot();
    host.fault({ tool: 'drbdmeta', nth: 3, access: 'change', mode: 'no effect, exit 0' });
    const error: unknown = await on(host, create({ generation })).catch((each: unknown) => each);
    expect((error as Error).cause).toMatchObject({
      message: expect.stringContaining('does not have the generation 5e1f0000000000a0') as string,
    });
    expect(host.snapshot()).toBe(before);
  });

  it.each(['5e1f0000000000a1', '0000000000000004', 'x'])('refuses a generation %s', async (uuid) => {
    const error: unknown = await on(blank(), create({ generation: { uuid, peers: [1] } })).catch(
      (each: unknown) => each,
    );
    expect(error).toMatchObject({ name: 'UsageError' });
  });

  it('creates metadata with its own UUID for the resource, and removes it again', async () => {
    const host = blank();
    const made = await on(host, async (tx) => {
      const value = await tx.drbd.createMetadata({ name });
      await tx.drbd.up({ name });
      return value;
    });
    expect(made).toEqual({
      ...{ volume: 0, minor: 0, device, format: 'v08', dataSize: dataSize(size) },
      uuid: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown,
    });
    expect(signature(host)).toMatchObject({ type: 'drbd', uuid: made.uuid });

    await undone(blank(), create());
  });

  it('restores the former bytes', async () => {
    const host = blank();
    const random = Uint8Array.from({ length: area.length }, (_, at) => (at * 7 + (at >> 8)) % 251);
    host.admin.writeBytes(device, area.from, random);
    await undone(host, create());
    expect((await bytes(host)).get(superblockOf(area))?.[0]).toBe(random.at(-blockSize));
  });

  it('replaces only named metadata, and the undo restores it', async () => {
    const host = replicated();
    host.world.drbd.module = 'loaded';
    const { message, remedy } = await refused(host, create());
    expect(message).toContain(`${device} holds ${old}, which was not named`);
    expect(remedy).toContain(`overwrite: ["${old}"]`);
    expect((await refused(host, create({ overwrite: [old, 'data'] }))).message).toContain(
      'does not hold data',
    );
    await undone(host, create({ overwrite: [old] }));
    const made = await on(host, create({ overwrite: [old] }));
    expect(signature(host)?.uuid).toBe(made.uuid);
  });

  it('keeps a named filesystem that ends before it, and overwrites no other content', async () => {
    const uuid = '5e1f0000-0000-4000-8000-0000000000aa';
    expect((await refused(filled(), create())).remedy).toContain(`keep: ["${uuid}"]`);
    const long = await refused(filled(size / 4096), create({ keep: [uuid] }));
    expect(long.message).toContain('holds ext4 that reaches to 64 MiB; the metadata would begin at');
    await undone(filled(), create({ keep: [uuid] }));
    const host = filled();
    await on(host, async (tx) => {
      await tx.drbd.createMetadata({ name, keep: [uuid] });
      await tx.drbd.up({ name });
      host.admin.drbdadm('primary', '--force', name);
    });
    expect(
      host.world.live.get(`drbd:${signature(host)?.uuid ?? ''}:${storageOf(host)}`)?.superblock?.uuid,
    ).toBe(uuid);
  });

  it('refuses content whose end is unknown', async () => {
    const host = blank();
    host.admin.format(device, { type: 'LVM2_member', usage: 'raid', uuid: 'abc' });
    expect((await refused(host, create({ keep: ['abc'] }))).message).toContain(
      'whose size is unknown to bofh',
    );
  });

  it('needs a name for unknown bytes', async () => {
    const host = blank();
    host.admin.writeBytes(device, 0, new Uint8Array(512).fill(7));
    expect((await refused(host, create())).remedy).toContain('overwrite: ["data"]');
    await undone(host, create({ overwrite: ['data'] }));
  });

  it('refuses a device in use, one of a running resource, and a host without the module', async () => {
    expect((await refused(up(), create({ overwrite: [old] }))).holders).toMatchObject([
      { kind: 'drbd', resource: name },
    ]);
    const host = replicated();
    expect((await refused(host, create())).remedy).toBe('load it: modprobe drbd');
  });

  it('refuses more content than the undo can keep, and says how to remove it', async () => {
    const host = simulatedHost({ volumeGroups: [{ name: 'vg0', size: 64 * 1024 ** 3 }] });
    host.admin.writeFile('/etc/drbd.conf', 'include "drbd.d/*.res";\n');
    host.admin.writeFile('/etc/drbd.d/web1.res', resourceText(name, { disk: '/dev/vg0/large' }));
    host.world.drbd.module = 'loaded';
    host.admin.lvcreate({ vg: 'vg0', name: 'large', extents: 9000 });
    const bytesOfLarge = 9000 * 4 * 1024 ** 2;
    const large = areaOf(bytesOfLarge, {});
    host.admin.writeBytes('/dev/vg0/large', large.from, new Uint8Array(large.length).fill(9));
    expect(large.length).toBeGreaterThan(1024 ** 2);
    expect((await refused(host, create())).remedy).toContain(
      `blkdiscard --zeroout --offset ${String(large.from)} --length ${String(large.length)} /dev/vg0/large`,
    );
  });

  it('needs the number of one of several volumes, and refuses an unknown one', async () => {
    const host = blank();
    expect((await refused(host, create({ volume: 1 }))).message).toBe('web1 has no volume 1 on this host');
    const second = (minor: number, disk: string): string =>
      `volume 1 {\n device minor ${String(minor)};\n disk ${disk};\n meta-disk internal;\n }\n    address`;
    host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 16 });
    host.admin.writeFile(
      '/etc/drbd.d/web1.res',
      resourceText('web1').replaceAll('address', second(1, '/dev/vg0/data')),
    );
    expect(await refused(host, create())).toMatchObject({
      message: 'web1 has the volumes 0, 1, and none was named',
      remedy: 'name one of 0, 1: volume: 0',
    });
    for (const volume of [0, 1]) await on(host, create({ volume }));
  });

  it('does not run while its metadata has no name', async () => {
    const host = blank();
    const before = host.snapshot();
    host.fault({ tool: 'drbdmeta', nth: 2, mode: 'no effect, exit 0' });
    await expect(on(host, create())).rejects.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });

  it('leaves alone metadata that others created meanwhile', async () => {
    const host = blank();
    const failed = on(host, async (tx) => {
      await tx.drbd.createMetadata({ name });
      host.admin.drbdMetadata(device, 'ffffffffffffffff', 'UpToDate');
      throw boom;
    });
    await expect(failed).rejects.toMatchObject({
      leftUntouched: [expect.stringContaining('where the metadata should be') as unknown],
    });
    expect(signature(host)?.uuid).toBe('ffffffffffffffff');
  });

  it('leaves alone metadata that others created meanwhile for a newer module', async () => {
    const host = blank();
    const failed = on(host, async (tx) => {
      await tx.drbd.createMetadata({ name });
      writeNine(host);
      throw boom;
    });
    await expect(failed).rejects.toMatchObject({
      leftUntouched: [expect.stringContaining('where the metadata should be') as unknown],
    });
  });
});

describe('data that must stay', () => {
  it('needs no name if the metadata begins behind it', async () => {
    const host = blank();
    host.admin.format(device, { type: 'LVM2_member', usage: 'raid', uuid: 'abc' });
    const before = await bytes(host, 0, 68 * 1024);
    await undone(host, create({ keepBytes: area.from }));
    await on(host, create({ keepBytes: area.from }));
    expect(await bytes(host, 0, 68 * 1024)).toEqual(before);
    expect(before.size).toBeGreaterThan(0);
  });

  it('is refused if the metadata would overlap it, and old metadata behind it must be named', async () => {
    expect((await refused(blank(), create({ keepBytes: area.from + 1 }))).message).toContain(
      'of data, and the metadata would begin at',
    );
    const host = replicated();
    host.world.drbd.module = 'loaded';
    expect((await refused(host, create({ keepBytes: 4096 }))).remedy).toContain(`overwrite: ["${old}"]`);
  });
});

describe('tx.drbd.removeMetadata', () => {
  const ext4 = { type: 'ext4', usage: 'filesystem', version: '1.0', blockSize: 4096, blocks: 1024 } as const;
  const data = { ...ext4, uuid: '5e1f0000-0000-4000-8000-0000000000aa' };
  const wipe =
    (more: object = {}) =>
    (tx: Tx) =>
      tx.drbd.removeMetadata({ name, uuid: old, ...more });

  /** With a filesystem that was made on the volume while it was up. */
  function used(): SimulatedHost {
    const host = replicated();
    host.world.drbd.module = 'loaded';
    host.admin.drbdadm('up', name);
    host.admin.drbdadm('primary', name);
    host.admin.format('/dev/drbd0', data);
    host.admin.drbdadm('secondary', name);
    return host;
  }
  function taken(host = used()): SimulatedHost {
    host.world.drbd.resources = [];
    return host;
  }

  it('keeps the data on the device', async () => {
    const host = taken();
    expect(await on(host, wipe())).toEqual({ volume: 0, device, uuid: old });
    expect(signature(host)).toMatchObject({ type: 'ext4', uuid: data.uuid });
    expect((await bytes(host)).get(superblockOf(area))).toBeUndefined();
  });

  it('is undone byte for byte, and the resource comes up with it', async () => {
    await undone(taken(), wipe());
    const host = taken();
    const failed = on(host, async (tx) => {
      await wipe()(tx);
      throw boom;
    });
    await expect(failed).rejects.toBeInstanceOf(RolledBackError);
    host.admin.drbdadm('up', name);
    expect(host.world.drbd.resources[0]?.volumes[0]?.disk).toBe('UpToDate');
  });

  it('refuses other metadata than named, missing metadata, and that of a running volume', async () => {
    const other = await refused(taken(), wipe({ uuid: 'ffffffffffffffff' }));
    expect(other.message).toBe(
      `the metadata on ${device} has the uuid ${old}, not ffffffffffffffff; nothing was written`,
    );
    expect((await refused(blank(), wipe())).message).toContain('has no metadata of DRBD at its end');
    const newer = taken();
    writeNine(newer);
    expect((await refused(newer, wipe())).message).toContain('has the uuid ffffffffffffffff, not');
    expect((await refused(used(), wipe())).holders).toMatchObject([{ kind: 'drbd', resource: name }]);
  });

  it('is not undone after others wrote to the data: the peer would never get that', async () => {
    const host = taken();
    await on(host, wipe());
    host.admin.mount(device, '/mnt');
    host.admin.writeFile('/mnt/ledger', 'new');
    host.admin.umount('/mnt');
    const simulated = simulatedBofh({ host });
    const [journal] = closedJournals(simulated.engine);
    const failed = withBofh({ ...simulated, signals: {} }, () => undo(journal?.id ?? ''));
    await expect(failed).rejects.toThrow('DRBD would not send that to the peer');
    expect(signature(host)).toMatchObject({ type: 'ext4' });
  });

  it('notices when nothing was written, and leaves alone foreign content', async () => {
    const host = taken();
    const before = host.snapshot();
    host.fault({ tool: 'dd', mode: 'no effect, exit 0' });
    const error: unknown = await on(host, wipe()).catch((each: unknown) => each);
    expect(String((error as Error).cause)).toContain('the metadata is still there');
    expect(host.snapshot()).toBe(before);
    const failed = on(host, async (tx) => {
      await wipe()(tx);
      host.admin.drbdMetadata(device, 'ffffffffffffffff', 'UpToDate');
      throw boom;
    });
    await expect(failed).rejects.toMatchObject({
      leftUntouched: [expect.stringContaining('was written to where its metadata was') as unknown],
    });
  });
});

it.each<readonly [string, () => SimulatedHost, (tx: Tx) => Promise<unknown>]>([
  ['new', blank, create()],
  [
    'removed',
    () => {
      const host = replicated();
      host.world.drbd.module = 'loaded';
      return host;
    },
    (tx) => tx.drbd.removeMetadata({ name, uuid: old }),
  ],
])('the undo of %s metadata says that the device has another size now', async (_, stage, act) => {
  const host = stage();
  const failed = on(host, async (tx) => {
    await act(tx);
    host.admin.lvextend('vg0', 'web1-root', 17);
    throw boom;
  });
  await expect(failed).rejects.toMatchObject({
    leftUntouched: [
      expect.stringContaining(
        'has 68 MiB now, and had 64 MiB: the place of its metadata is unknown',
      ) as unknown,
    ],
  });
});

describe('the commands of metadata', () => {
  const at = { minor: 3, format: 'v08', device: '/dev/vg0/a' } as const;

  it('are those of drbdmeta', () => {
    expect(createMd(at, { peers: 1, content: 'blank' }).argv).toEqual([
      '3',
      'v08',
      '/dev/vg0/a',
      'internal',
      'create-md',
    ]);
    expect(createMd({ ...at, format: 'v09' }, { peers: 2, content: 'named' }).argv).toEqual([
      ...['--force', '3', 'v09', '/dev/vg0/a', 'internal', 'create-md', '2'],
    ]);
    expect(writeDeviceUuid(at, old).argv).toEqual([
      '3',
      'v08',
      '/dev/vg0/a',
      'internal',
      'write-dev-uuid',
      old,
    ]);
  });

  it('read blocks with content, and refuse truncated output', () => {
    const { parse } = blocksAt('/dev/x', { from: 4096, count: 4 * 4096 });
    const line = (at: number, byte: string): string =>
      `${String(at).padStart(7, '0')}${` ${byte}`.repeat(4096)}\n`;
    const read = (stdout: string) =>
      [...parse({ exitCode: 0, stdout, stderr: '' })].map(([where, block]) => [where, block[0]]);
    const good = `${line(4096, '00')}${line(8192, '07')}*\n${line(16384, '08')}0020480\n`;
    expect(read(good)).toEqual([
      [8192, 7],
      [12288, 7],
      [16384, 8],
    ]);
    for (const bad of [
      good.slice(0, -1),
      good.replace('0020480\n', ''),
      good.replace('*\n', ''),
      good.replace(' 08', ''),
      good.replace('0020480', '0020481'),
      '',
    ])
      expect(() => read(bad)).toThrow(ParseError);
  });
});
