import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { type Look, paintFor, plainLook } from '../../../src/cli/output/style.ts';
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
    ...{ size: 1024 ** 3, readOnly: false, facts: [], uses: [], below: [], above: [], unknown: [] },
    content: { state: 'blank', layer: null, title: 'blank', facts: [] },
    ...changes,
  };
}

const none = { asked: null, unknown: [] };
const screen = (columns: number): Look => ({ ...plainLook, columns });

describe('the drawing of a tree', () => {
  it('shows a device on two others below both, in full once', () => {
    const array = device({ id: 'md0', title: 'md raid1', below: ['vda', 'vdb'] });
    const lines = drawTree(
      {
        ...none,
        roots: ['vda', 'vdb'],
        devices: [device({ id: 'vda', above: ['md0'] }), array, device({ id: 'vdb', above: ['md0'] })],
      },
      screen(80),
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
    const upper = device({ id: 'vda1', below: ['vda'], facts, unknown: ['a rather long reason '.repeat(8)] });
    const both = [device({ id: 'vda', above: ['vda1'], facts }), upper];

    const lines = drawTree({ ...none, roots: ['vda'], devices: both }, screen(44));

    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(44);
    expect(lines.join(' ')).toContain('fact19');
  });

  it('colours the states of DRBD and what is unusual, and wraps as without colour', () => {
    const facts = [
      { name: 'role', value: 'Primary' },
      { name: 'disk', value: 'Inconsistent' },
      { name: 'open as', value: 'up' },
    ];
    const content = { ...device({ id: 'x' }).content, facts: [{ name: 'complete', value: 'no' }] };
    const tree = {
      ...{ ...none, roots: ['vda'] },
      devices: [
        device({ id: 'vda', facts, content, unknown: ['no DRBD resource that is up has this device'] }),
      ],
    };
    const paint = paintFor('always', { isTTY: false }, {});

    const lines = drawTree(tree, { columns: 40, paint });

    expect(lines.map(stripVTControlCharacters)).toEqual(drawTree(tree, screen(40)));
    expect(lines.length).toBeGreaterThan(3);
    const text = lines.join('\n');
    expect(text).toContain('role \u001b[32mPrimary\u001b[39m,');
    expect(text).toContain('\u001b[31mInconsistent\u001b[39m');
    expect(text).toMatch(/\u001b\[31mcomplete\u001b\[39m\s+\u001b\[31mno\u001b\[39m/);
    expect(text).toContain('open as up');
    expect(text).toContain('\u001b[33mresource\u001b[39m');
  });

  it('escapes control characters in names', () => {
    const named = device({
      id: 'vda',
      content: { state: 'known', layer: 'x', title: 'ext4', label: 'a\u001b[2Jb', facts: [] },
      uses: [{ kind: 'mount', path: '/mnt/\nx', mountId: 1, type: 'ext4', root: '/', mode: 'rw' }],
    });

    const text = drawTree({ ...none, roots: ['vda'], devices: [named] }, screen(80)).join('');

    expect(text).not.toMatch(/[\u0000-\u001f]/);
  });
});
