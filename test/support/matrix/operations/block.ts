import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { makeFilled, removeVolume, root, uuid } from './shell.ts';

const image = `/srv/${guest}.img`;
const makeImage = `truncate -s 8M ${image}`;
const attached = `${makeImage} && losetup /dev/loop5 ${image}`;

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
};
