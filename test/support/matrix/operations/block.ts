import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { makeFilled, removeVolume, root, uuid } from './shell.ts';

const image = `/srv/${guest}.img`;
const makeImage = `truncate -s 8M ${image}`;
const attached = `${makeImage} && losetup /dev/loop5 ${image}`;

const partitioned = `${attached} && printf 'label: gpt\\nsize=1MiB\\n' | sfdisk --quiet --no-reread --no-tell-kernel /dev/loop5 && partx --update /dev/loop5`;
const partitionContent = `sync; sha256sum ${image}; grep -H . /sys/block/loop5/loop5p*/start /sys/block/loop5/loop5p*/size 2>/dev/null || true`;

export const block: RigSpecimens['block'] = {
  createImage: {
    setUp: 'true',
    call: `tx.block.createImage({ file: '${image}', size: '8m' })`,
    act: { tool: 'truncate', words: ['--size=8388608'] },
    clear: `rm -f ${image}`,
  },
  attachLoop: {
    setUp: makeImage,
    call: `tx.block.attachLoop({ file: '${image}' })`,
    act: { tool: 'losetup', words: [image] },
    clear: `for each in $(losetup --noheadings --output NAME --associated ${image}); do losetup --detach $each; done; rm ${image}`,
  },
  detachLoop: {
    setUp: attached,
    call: `tx.block.detachLoop({ device: '/dev/loop5' })`,
    act: { tool: 'losetup', words: ['--detach', '/dev/loop5'] },
    clear: `losetup --detach /dev/loop5; rm ${image}`,
  },
  wipe: {
    setUp: makeFilled,
    call: `tx.block.wipe({ device: '${root}', overwrite: ['${uuid}'] })`,
    act: { tool: 'wipefs', words: ['--all'] },
    clear: removeVolume,
    content: `sha256sum ${root}`,
  },
  discard: {
    setUp: makeFilled,
    call: `tx.block.discard({ device: '${root}', overwrite: ['${uuid}'] })`,
    act: { tool: 'blkdiscard', words: ['--offset', '0'] },
    clear: removeVolume,
    deferred: `test -z "$(wipefs ${root})"`,
  },
  zero: {
    setUp: makeFilled,
    call: `tx.block.zero({ device: '${root}', overwrite: ['${uuid}'] })`,
    act: { tool: 'blkdiscard', words: ['--offset', '0'] },
    clear: removeVolume,
    deferred: `test "$(head -c 1048576 ${root} | tr -d '\\0' | wc -c)" = 0`,
  },
  createPartitionTable: {
    setUp: attached,
    call: `tx.block.createPartitionTable({ device: '/dev/loop5' })`,
    act: { tool: 'sfdisk', words: ['/dev/loop5', '!--json'] },
    clear: `losetup --detach /dev/loop5; rm ${image}`,
    content: `sync; sha256sum ${image}`,
  },
  addPartition: {
    setUp: partitioned,
    call: `tx.block.addPartition({ device: '/dev/loop5', size: 2 * 1024 ** 2 })`,
    act: { tool: 'sfdisk', words: ['--append', '/dev/loop5'] },
    clear: `partx --delete /dev/loop5; losetup --detach /dev/loop5; rm ${image}`,
    content: partitionContent,
  },
  growPartition: {
    setUp: partitioned,
    call: `tx.block.growPartition({ device: '/dev/loop5', number: 1, size: 'max' })`,
    act: { tool: 'sfdisk', words: ['--partno', '/dev/loop5'] },
    clear: `partx --delete /dev/loop5; losetup --detach /dev/loop5; rm ${image}`,
    content: partitionContent,
  },
};
