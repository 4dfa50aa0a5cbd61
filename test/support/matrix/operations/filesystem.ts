import type { RigSpecimens } from '../operations.ts';
import { makeVolume, removeVolume, root } from './shell.ts';

export const filesystem: RigSpecimens['filesystem'] = {
  create: {
    setUp: makeVolume,
    call: `tx.filesystem.create({ device: '${root}', type: 'ext4' })`,
    act: { tool: 'mkfs.ext4', words: [root] },
    clear: removeVolume,
  },
};
