import { describe, expect, it } from 'vitest';
import { everyHolder, keysOf } from '../../../src/blockdevice/index.ts';
import { tree } from '../../../src/stack/index.ts';
import { device, replicated, up } from './support.ts';

const name = 'vg0/web1-root';

async function treeOf(host: ReturnType<typeof up>) {
  const { devices } = await tree({ host });
  return (wanted: string) => {
    const found = devices.find((each) => each.name === wanted);
    if (found === undefined) throw new Error(`no ${wanted} among ${devices.map((each) => each.name).join()}`);
    return found;
  };
}

describe('DRBD in the stack', () => {
  it('a resource that is up has its device over the backing device, with the overhead of its metadata', async () => {
    const host = up();
    host.admin.drbdadm('primary', 'web1');
    host.admin.format('/dev/drbd0', {
      type: 'ext4',
      usage: 'filesystem',
      uuid: '0c0ffee0-0000-4000-8000-000000000001',
    });
    const find = await treeOf(host);

    const backing = find(name);
    expect(backing.content).toMatchObject({
      ...{ state: 'known', layer: 'drbd-backing', title: 'DRBD backing device' },
      ...{ size: 67_067_904, overhead: 40_960 },
    });
    expect(backing.above).toEqual(['drbd0']);
    expect(find('drbd0')).toMatchObject({
      ...{ kind: 'drbd', title: 'DRBD device', size: 67_067_904, unknown: [] },
      facts: [
        { name: 'resource', value: 'web1/0' },
        { name: 'role', value: 'Primary' },
        { name: 'disk', value: 'UpToDate' },
        { name: 'to peer', value: 'Connecting' },
      ],
      content: { type: 'ext4' },
    });
  });

  it('a resource that is down shows its name and the space that remains, and says that no more is known', async () => {
    const backing = (await treeOf(replicated()))(name);

    expect(backing.content).toMatchObject({
      ...{ layer: 'drbd-backing', size: 67_067_904, overhead: 40_960 },
      facts: [{ name: 'resource', value: 'web1/0' }],
    });
    expect(backing.unknown).toContain('web1/0 is not up: its content is unknown');
  });

  it('a device without a configuration has no known size', async () => {
    const host = replicated();
    host.admin.removeFile('/etc/drbd.d/web1.res');
    const backing = (await treeOf(host))(name);

    expect(backing.content.size).toBeUndefined();
    expect(backing.unknown).toContain('no resource on this device is up or configured');
  });

  it('has its own lock key over those of the volume, and its resource is its holder', async () => {
    const host = up();

    expect(await keysOf(host, '/dev/drbd0')).toMatchObject({
      key: 'dev:drbd0',
      beneath: expect.arrayContaining(['lv:vg0/web1-root', 'vg:vg0']) as unknown,
    });
    expect(await everyHolder(host, device)).toMatchObject([
      { kind: 'drbd', resource: 'web1', free: ['drbdsetup', 'down', 'web1'] },
    ]);
    expect(await everyHolder(replicated(), device)).toEqual([]);
  });
});
