import { describe, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { drawTree } from '../../../src/cli/verbs/block/tree.ts';
import type { StackDevice } from '../../../src/stack/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

function host(): SimulatedHost {
  const made = simulatedHost();
  made.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 4 });
  made.admin.format('/dev/vg0/web1', { type: 'ext4', usage: 'filesystem', uuid: 'u', label: 'root' });
  made.admin.mkdir('/mnt/web1');
  made.admin.mount('/dev/vg0/web1', '/mnt/web1');
  return made;
}

describe('bofh block tree', () => {
  it('draws devices above each other', async () => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host: host() }));

    expect(await runVerb(runtime, 'block tree /dev/vdb')).toBe(0);

    expect(stdout().split('\n')).toEqual([
      'vdb  8 GiB ◀  disk, LVM physical volume, overhead 4 MiB, group vg0, free 8 GiB',
      '└─ vg0/web1  16 MiB  logical volume, ext4 "root", used 4 MiB',
      '      → mounted on /mnt/web1',
      '',
    ]);
  });

  it('prints JSON of its documented type', async () => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host: host() }), { json: true });

    await runVerb(runtime, 'block tree');

    const { devices, asked } = answers.blockTree.parse(JSON.parse(stdout()));
    expect(devices.map(({ name }) => name)).toEqual(['vda', 'vdb', 'vg0/web1']);
    expect(asked).toBeNull();
  });
});

function device(changes: Partial<StackDevice> & Pick<StackDevice, 'id'>): StackDevice {
  return {
    ...{
      key: `dev:${changes.id}`,
      name: changes.id,
      kind: 'disk',
      title: 'disk',
      path: `/dev/${changes.id}`,
    },
    ...{ size: 1024 ** 3, readOnly: false, facts: [], uses: [], below: [], above: [], untold: [] },
    content: { state: 'blank', layer: null, title: 'blank', facts: [] },
    ...changes,
  };
}

const none = { asked: null, untold: [] };

describe('the drawing of a tree', () => {
  it('shows a device on two others below both, in full once', () => {
    const array = device({ id: 'md0', title: 'md raid1', below: ['vda', 'vdb'] });
    const lines = drawTree(
      {
        ...none,
        roots: ['vda', 'vdb'],
        devices: [device({ id: 'vda', above: ['md0'] }), array, device({ id: 'vdb', above: ['md0'] })],
      },
      80,
    );

    expect(lines).toEqual([
      'vda  1 GiB  disk, blank',
      '└─ md0  1 GiB  md raid1, blank',
      'vdb  1 GiB  disk, blank',
      '└─ md0  1 GiB  see above',
    ]);
  });

  it('is wider than the terminal only if a word is', () => {
    const facts = Array.from({ length: 20 }, (_, at) => ({ name: `fact${at}`, value: 'x y z' }));
    const upper = device({ id: 'vda1', below: ['vda'], facts, untold: ['a rather long reason '.repeat(8)] });
    const both = [device({ id: 'vda', above: ['vda1'], facts }), upper];

    const lines = drawTree({ ...none, roots: ['vda'], devices: both }, 44);

    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(44);
    expect(lines.join(' ')).toContain('fact19');
  });

  it('escapes control characters in names', () => {
    const named = device({
      id: 'vda',
      content: { state: 'known', layer: 'x', title: 'ext4', label: 'a\u001b[2Jb', facts: [] },
      uses: [{ kind: 'mount', path: '/mnt/\nx', mountId: 1, type: 'ext4', root: '/', mode: 'rw' }],
    });

    const text = drawTree({ ...none, roots: ['vda'], devices: [named] }, 80).join('');

    expect(text).not.toMatch(/[\u0000-\u001f]/);
  });
});
