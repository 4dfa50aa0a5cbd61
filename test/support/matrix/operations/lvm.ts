import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { makeFilled, removeVolume } from './shell.ts';

export const lvm: RigSpecimens['lvm'] = {
  createLv: {
    setUp: 'true',
    call: `tx.lvm.createLv({ vg: 'vg0', name: '${guest}-root', size: '64m' })`,
    act: { tool: 'lvcreate', words: [`${guest}-root`] },
    clear: 'true',
  },
  removeLv: {
    setUp: makeFilled,
    call: `tx.lvm.removeLv({ vg: 'vg0', name: '${guest}-root' })`,
    act: { tool: 'lvrename', words: [`*${guest}-root*`] },
    clear: removeVolume,
  },
  renameLv: {
    setUp: makeFilled,
    call: `tx.lvm.renameLv({ vg: 'vg0', name: '${guest}-root', to: '${guest}-new' })`,
    act: { tool: 'lvrename', words: [`${guest}-root`, `${guest}-new`] },
    clear: removeVolume,
  },
};
