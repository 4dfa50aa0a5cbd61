import type { RigSpecimens } from '../operations.ts';
import { makeFilled, removeVolume, root } from './shell.ts';

export const mount: RigSpecimens['mount'] = {
  mount: {
    setUp: makeFilled,
    call: `tx.mount.mount({ device: '${root}', mode: 'rw' })`,
    act: { tool: 'mount', words: ['--target'] },
    clear: removeVolume,
  },
};
