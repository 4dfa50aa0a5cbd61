import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { makeFilled, makeVolume, removeVolume, root } from './shell.ts';

const image = `/srv/${guest}.img`;

export const filesystem: RigSpecimens['filesystem'] = {
  create: {
    setUp: makeVolume,
    call: `tx.filesystem.create({ device: '${root}', type: 'ext4' })`,
    act: { tool: 'mkfs.ext4', words: [root] },
    clear: removeVolume,
  },
  createImage: {
    setUp: 'true',
    call: `tx.filesystem.createImage({ file: '${image}', size: '8m', type: 'ext4' })`,
    act: { tool: 'mkfs.ext4', words: ['-U', '*'] },
    clear: `rm -f ${image}`,
  },
  label: {
    setUp: makeFilled,
    call: `tx.filesystem.label({ device: '${root}', label: 'new' })`,
    act: { tool: 'e2label', words: [root, 'new'] },
    clear: removeVolume,
  },
  uuid: {
    setUp: makeFilled,
    call: `tx.filesystem.uuid({ device: '${root}', uuid: '5e1f0000-0000-4000-8000-0000000000ff', seed: 'may be added' })`,
    act: { tool: 'tune2fs', words: ['-U', '*', root] },
    clear: removeVolume,
    content: `dumpe2fs -h ${root} 2>/dev/null | grep -E '^Filesystem (UUID|features|state)'; e2fsck -fn ${root} > /dev/null 2>&1; echo $?`,
  },
  repair: {
    setUp: `${makeFilled} && debugfs -w -R 'ssv free_inodes_count 7' ${root} && debugfs -w -R 'sif <2> links_count 9' ${root}`,
    call: `tx.filesystem.repair({ device: '${root}' })`,
    act: { tool: 'e2fsck', words: ['-p', root] },
    clear: removeVolume,
    deferred: `e2fsck -fn ${root}`,
  },
  resize: {
    setUp: `${makeFilled} && resize2fs ${root} 32M`,
    call: `tx.filesystem.resize({ device: '${root}', size: 'max' })`,
    act: { tool: 'resize2fs', words: [root, '!-P'] },
    clear: removeVolume,
    content: `dumpe2fs -h ${root} 2>/dev/null | grep -E '^(Block count|Filesystem state)'`,
  },
  trim: {
    setUp: `${makeFilled} && mkdir -p /mnt/${guest} && mount ${root} /mnt/${guest} && echo kept > /mnt/${guest}/kept`,
    call: `tx.filesystem.trim({ path: '${root}' })`,
    act: { tool: 'fstrim', words: ['--verbose'], stop: 'safe' },
    clear: `umount /mnt/${guest}; rmdir /mnt/${guest}; ${removeVolume}`,
    content: `cat /mnt/${guest}/kept`,
  },
};
