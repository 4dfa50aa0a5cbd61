import type { RigSpecimens } from '../operations.ts';
import { makeFilled, makeVolume, removeVolume, root } from './shell.ts';

export const filesystem: RigSpecimens['filesystem'] = {
  create: {
    setUp: makeVolume,
    call: `tx.filesystem.create({ device: '${root}', type: 'ext4' })`,
    act: { tool: 'mkfs.ext4', words: [root] },
    clear: removeVolume,
  },
  label: {
    setUp: makeFilled,
    call: `tx.filesystem.label({ device: '${root}', label: 'new' })`,
    act: { tool: 'e2label', words: [root, 'new'] },
    clear: removeVolume,
  },
  resize: {
    setUp: `${makeFilled} && resize2fs ${root} 32M`,
    call: `tx.filesystem.resize({ device: '${root}', size: 'max' })`,
    act: { tool: 'resize2fs', words: [root, '!-P'] },
    clear: removeVolume,
    content: `dumpe2fs -h ${root} 2>/dev/null | grep -E '^(Block count|Filesystem state)'`,
  },
};
