import { describe, expect, it } from 'vitest';
import type { Tx } from '../../../src/operations.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import { resizeStack, type StackTree, stackTree, tree } from '../../../src/stack/index.ts';
import { recordedHost, recording } from './recorded.ts';

const mib = 1024 ** 2;

function find({ devices }: StackTree, name: string): StackTree['devices'][number] {
  const found = devices.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ${name} among ${devices.map((one) => one.name).join()}`);
  return found;
}

// Debian 12 in the rig: Linux 6.1, lvm2 2.03.16, util-linux 2.38.1, mdadm 4.2. Of lvm's report the columns that are asked for; what losetup and
// debugfs say of these devices is in the words of their own fixtures.
describe('the tree of a host with an array and a partitioned disk', () => {
  const there = () => recordedHost(recording('stack/array-and-partitions@6.1'));

  it('shows the array once, over both of its members', async () => {
    const made = await tree({ host: there() });

    expect(stackTree.parse(made)).toEqual(made);
    expect(made.devices.filter(({ name }) => name === 'md0')).toHaveLength(1);
    expect(find(made, 'md0')).toMatchObject({
      ...{ kind: 'array', title: 'md raid1', size: 15 * mib, below: ['loop1', 'loop2'] },
      content: { type: 'ext4', label: 'onmd' },
    });
    for (const member of ['loop1', 'loop2'])
      expect(find(made, member)).toMatchObject({
        above: ['md0'],
        content: { layer: 'md-member', size: 15 * mib, overhead: mib },
      });
    expect(find(made, 'md0').facts).toContainEqual({ name: 'members', value: '2' });
  });

  it('shows the partitions with their content, and the overhead of the table', async () => {
    const made = await tree({ host: there() });

    expect(find(made, 'loop3')).toMatchObject({
      above: ['loop3p1', 'loop3p2'],
      content: { layer: 'partition-table', title: 'gpt partition table', size: 12 * mib, overhead: 4 * mib },
    });
    expect(find(made, 'loop3p1').content.state).toBe('blank');
    expect(find(made, 'loop3p2')).toMatchObject({ uses: [{ kind: 'swap' }], content: { type: 'swap' } });
  });

  it('shows files of loop devices in their filesystem', async () => {
    const made = await tree({ host: there() });

    expect(find(made, 'vda').above).toEqual(['loop1', 'loop2', 'loop3']);
    expect(made.roots).toEqual(['vda', 'vdb']);
  });

  it('of one member shows the array and the disk beneath, and not the other member', async () => {
    const made = await tree({ host: there(), device: '/dev/loop1' });

    expect(made.devices.map(({ name }) => name)).toEqual(['vda', 'loop1', 'md0']);
    expect(find(made, 'md0').below).toEqual(['loop1']);
  });

  it('shows a user the facts of the kernel, and says what it may not read', async () => {
    const made = await tree({
      host: recordedHost(recording('stack/array-and-partitions@6.1'), { root: false }),
    });

    expect(find(made, 'md0').size).toBe(15 * mib);
    expect(find(made, 'md0').facts).toContainEqual({ name: 'members', value: '2' });
    expect(find(made, 'md0').unknown.join()).toMatch(/its content: permission denied/);
    expect(find(made, 'vda').content).toMatchObject({ state: 'unreadable', title: 'ext4' });
    expect(find(made, 'loop1').unknown.join()).toMatch(/permission denied/);
  });

  it.each([
    ['the array', '/dev/md0', 64],
    ['the array, smaller', '/dev/md0', 8],
  ])('does not resize %s, and says why and what does', async (_, device, size) => {
    const nothing = new Proxy({}, { get: () => expect.fail('nothing is to be done') }) as Tx;
    const asked = { host: there(), device, to: { size: size * mib }, what: 'device' } as const;

    const error = await resizeStack(nothing, asked).catch((cause: unknown) => cause);

    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(/bofh does not resize md arrays/);
    expect(error).toHaveProperty('remedy', expect.stringMatching(/mdadm --grow \/dev\/md0/));
  });
});
