import { commandLine } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { fixed, type Layer } from './layer.ts';

export { partition } from './partitions/layer.ts';

/** A whole disk. */
export const disk: Layer = {
  name: 'disk',
  of: 'device',
  recognises: ({ device }) => device.kind === 'disk',
  tell: async ({ device }) => ({ size: device.size }),
  limits: async ({ device }) => fixed(device.size, 'the size of a disk cannot be changed'),
};

/** A file, or a part of one, attached as a device. */
export const loop: Layer = {
  name: 'loop',
  of: 'device',
  recognises: ({ device }) => device.kind === 'loop',
  title: () => 'loop device',
  tell: async ({ device }) => ({ size: device.size, facts: [['file', device.file ?? '']] }),
  limits: async ({ device: { file, path, size } }) => {
    const why = 'bofh does not resize the file of a loop device';
    const no = { may: false, why } as const;
    const grow = (to: Bytes): string => {
      const truncate = commandLine({ tool: 'truncate', argv: [`--size=+${String(to - size)}`, file ?? ''] });
      return `grow the file: ${truncate}; losetup --set-capacity ${path}; then what is on it: bofh block resize ${path} max`;
    };
    const shrink = (to: Bytes): string =>
      `shrink only what is on it, for example: bofh filesystem resize ${path} ${String(to)}b`;
    return {
      ...fixed(size, why),
      grow: file === undefined ? no : { ...no, remedy: grow },
      shrink: { ...no, remedy: shrink },
    };
  },
};

/** An md array; the overhead of its members is reported for each of them. */
export const array: Layer = {
  name: 'md',
  of: 'device',
  recognises: ({ device }) => device.kind === 'array',
  title: ({ device }) => `md ${device.array?.level ?? 'array'}`,
  tell: async ({ device: { size, array: facts } }) => {
    if (facts === undefined) return { size };
    const { members, state, degraded } = facts;
    return {
      size,
      facts: [
        ['members', String(members)],
        ['state', state],
        ...(degraded === null || degraded === 0 ? [] : [['missing', String(degraded)] as const]),
      ],
    };
  },
  limits: async ({ device }) => {
    const why = 'bofh does not resize md arrays';
    const remedy = `change it by its own program (mdadm --grow ${device.path} --size=SIZE); for its content: bofh block resize ${device.path} SIZE`;
    const no = { may: false, why, remedy } as const;
    return { ...fixed(device.size, why), grow: no, shrink: no };
  },
};

/** The content of a device that belongs to an md array. */
export const arrayMember: Layer = {
  name: 'md-member',
  of: 'content',
  recognises: ({ content }) => content?.type === 'linux_raid_member',
  title: () => 'md member',
  tell: async ({ device, above }) => {
    const own = above.find(({ kind }) => kind === 'array')?.array;
    if (own === undefined) return { unknown: ['its array is not assembled'] };
    if (own.componentSize === 0) return {};
    return { size: own.componentSize, overhead: device.size - own.componentSize };
  },
};

/**
 * A partition table; its overhead is all space without a partition, including gaps and free space.
 */
export const partitionTable: Layer = {
  name: 'partition-table',
  of: 'content',
  recognises: ({ content }) => content?.usage === 'partition-table',
  title: ({ content }) => `${content?.type ?? ''} partition table`,
  tell: async ({ device, above }) => {
    const parts = above.filter(({ kind }) => kind === 'partition');
    const used = parts.reduce((sum, { size }) => sum + size, 0);
    return { size: used, overhead: Math.max(0, device.size - used) };
  },
};
