import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { config, domain, gone, makeGuest, removeVolume } from './shell.ts';

export const xen: RigSpecimens['xen'] = {
  create: {
    setUp: makeGuest,
    call: `tx.xen.create({ config: '${config}', name: '${guest}' })`,
    act: { tool: 'xl', words: ['create', config, '!-N'] },
    clear: `${removeVolume}; rm ${config}`,
  },
  shutdown: {
    setUp: `${makeGuest} && xl create ${config}`,
    call: `tx.xen.shutdown({ name: '${guest}', uuid: '${domain}', config: '${config}', how: 'destroy' })`,
    act: { tool: 'xl', words: ['destroy'] },
    clear: `xl destroy ${guest}; ${gone}; for n in $(seq 50); do ${removeVolume} && break; sleep 0.2; done; rm ${config}`,
    believes: 'the host alone',
  },
};
