import { describe, expect, it } from 'vitest';
import * as block from '../../../src/api/block.ts';
import { withBofh } from '../../../src/bofh.ts';
import { RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import { parseSite } from '../../../src/site.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';

const mib = 1024 ** 2;
const uuid = '0c0ffee0-0000-4000-8000-000000000001';
const device = '/dev/vdz';
const key = { from: 'file', path: '/etc/key' } as const;

/** An ext4 of 64 MiB in a container of which 64 MiB are open, on a disk of 256. */
function host(inside: 'ext4' | 'xfs' = 'ext4'): SimulatedHost {
  const there = simulatedHost({ disks: [{ name: 'vdz', size: 256 * mib }] });
  there.admin.writeFile('/etc/key', 'geheim', 0o600);
  there.admin.luksFormat({ device, uuid: '0c0ffee0-0000-4000-8000-00000000000f', key: 'geheim' });
  there.admin.luksOpen(device, 'web1');
  for (const mapping of there.world.mappings) mapping.size = 64 * mib;
  there.world.revision += 1;
  there.admin.format('/dev/mapper/web1', { type: inside, usage: 'filesystem', uuid, version: '1.0' });
  return there;
}

function resize(there: SimulatedHost, request: Partial<block.ResizeRequest>): Promise<block.StackResized> {
  const whole = { device, to: 'max', ...request } as const;
  return withBofh(simulatedBofh({ host: there }), () => block.resize(whole));
}

function tree(there: SimulatedHost): Promise<block.StackTree> {
  return withBofh(simulatedBofh({ host: there }), () => block.tree({ device }));
}

describe('a stack with an open container', () => {
  it('shows the overhead of each layer', async () => {
    const { devices } = await tree(host());

    expect(devices.map(({ name }) => name)).toEqual(['vdz', 'web1']);
    expect(devices[0]?.content).toMatchObject({ layer: 'luks', size: 64 * mib, overhead: 192 * mib });
    expect(devices[1]?.content).toMatchObject({ type: 'ext4', size: 64 * mib });
  });

  it('grows through the container, minus the size of its header', async () => {
    const there = host();

    const { layers, asked } = await resize(there, { key });

    expect(layers.map(({ to }) => to / mib)).toEqual([256, 240, 240]);
    expect(asked).toBe(0);
    expect((await tree(there)).devices.map(({ content }) => (content.size ?? 0) / mib)).toEqual([240, 240]);
  });

  it('gives the mapping the size, if that is the named device', async () => {
    const there = host();
    await resize(there, { key });

    const { layers, asked } = await resize(there, {
      device: '/dev/mapper/web1',
      to: { size: 240 * mib },
      key,
    });

    expect(asked).toBe(1);
    expect(layers.every(({ when }) => when === 'unchanged')).toBe(true);
  });

  it('is refused before anything changes when the container needs a key and none is given', async () => {
    const there = host();

    await expect(resize(there, {})).rejects.toThrow(/only with its key/);

    expect(there.changes).toEqual([]);
  });

  it('is undone when the filesystem cannot grow: the container has its former size', async () => {
    const there = host();
    there.fault({ tool: 'resize2fs', mode: 'fails before' });

    await expect(resize(there, { key })).rejects.toThrow(RolledBackError);

    expect((await tree(there)).devices.map(({ content }) => (content.size ?? 0) / mib)).toEqual([64, 64]);
  });
});

describe('a stack with a closed container', () => {
  it('opens it during the resize, and closes it again', async () => {
    const there = host();
    there.admin.luksClose('web1');

    const { layers } = await resize(there, { key });

    // Opened, it has all that its device has; the filesystem has what it had.
    expect(layers.map(({ from, to }) => [from / mib, to / mib])).toEqual([
      [256, 256],
      [240, 240],
      [64, 240],
    ]);
    expect((await tree(there)).devices.map(({ name }) => name)).toEqual(['vdz']);
  });

  it('is refused without a key', async () => {
    const there = host();
    there.admin.luksClose('web1');

    await expect(resize(there, {})).rejects.toThrow(/is closed/);

    expect(there.changes).toEqual([]);
  });

  it('closes it after an act that runs after the commit', async () => {
    const there = host('xfs');
    there.admin.luksClose('web1');

    const { layers } = await resize(there, { key });

    expect(layers.at(-1)).toMatchObject({ to: 240 * mib, when: 'after the commit' });
    expect((await tree(there)).devices.map(({ name }) => name)).toEqual(['vdz']);
  });

  it('closes it again when a step fails and everything is undone', async () => {
    const there = host();
    there.admin.luksClose('web1');
    there.fault({ tool: 'resize2fs', mode: 'fails before' });

    await expect(resize(there, { key })).rejects.toThrow(RolledBackError);

    expect((await tree(there)).devices.map(({ name }) => name)).toEqual(['vdz']);
  });

  it('closes it again when the request is impossible', async () => {
    const there = host();
    there.admin.luksClose('web1');

    await expect(resize(there, { key, to: { by: -64 * mib } })).rejects.toThrow(/the size of a disk/);

    expect((await tree(there)).devices.map(({ name }) => name)).toEqual(['vdz']);
  });

  it('reports a wrong key, and changes nothing', async () => {
    const there = host();
    there.admin.luksClose('web1');
    there.admin.writeFile('/etc/key', 'other', 0o600);

    await expect(resize(there, { key })).rejects.not.toThrow(RefusedError);

    expect((await tree(there)).devices.map(({ name }) => name)).toEqual(['vdz']);
  });
});

it('is opened under the name from the site file', async () => {
  const there = simulatedHost({ volumeGroups: [{ name: 'vg0', size: 512 * mib }] });
  there.admin.writeFile('/etc/key', 'geheim', 0o600);
  there.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 16 });
  const volume = '/dev/vg0/web1';
  there.admin.luksFormat({ device: volume, uuid: '0c0ffee0-0000-4000-8000-00000000000f', key: 'geheim' });
  there.admin.luksOpen(volume, 'web1');
  there.admin.format('/dev/mapper/web1', { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
  there.admin.luksClose('web1');
  const site = parseSite({ luksNaming: '{name}-plain' }, 'the test');
  const request = { device: volume, to: { by: 16 * mib }, key } as const;

  const { layers } = await withBofh({ ...simulatedBofh({ host: there }), site }, () => block.resize(request));

  expect(layers.map(({ path }) => path)).toContain('/dev/mapper/vg0-web1-plain');
});
