import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { makeVolume, removeVolume, root } from './shell.ts';

const file = `/etc/drbd.d/${guest}.res`;
const on = (name: string, port: number): string =>
  `on ${name} { device minor 7; disk ${root}; meta-disk internal; address 127.0.0.1:${String(port)}; }`;

/** A resource with metadata whose data are up to date; its peer is never there. Their first promotion says so. */
// create-md asks before it writes over what it takes for data: also over what a trial before has left in those extents.
const make = `${makeVolume} && blkdiscard --zeroout ${root} && printf '%s\\n' 'resource ${guest} {' "${on('$(hostname)', 7795)}" '${on('peer', 7796)}' '}' > ${file} && drbdadm create-md ${guest} && drbdadm up ${guest} && drbdadm primary --force ${guest} && drbdadm secondary ${guest}`;
const clear = `drbdsetup down ${guest}; rm -f ${file} /var/lib/drbd/drbd-minor-7.lkbd; ${removeVolume}`;
const state = `drbdsetup events2 --now ${guest}`;

export const drbd: RigSpecimens['drbd'] = {
  up: {
    setUp: `${make} && drbdadm down ${guest}`,
    call: `tx.drbd.up({ name: '${guest}' })`,
    act: { tool: 'drbdadm', words: ['up', guest] },
    clear,
    content: state,
  },
  down: {
    setUp: make,
    call: `tx.drbd.down({ name: '${guest}' })`,
    act: { tool: 'drbdsetup', words: ['down', guest] },
    clear,
    content: state,
  },
  primary: {
    setUp: make,
    call: `tx.drbd.primary({ name: '${guest}' })`,
    act: { tool: 'drbdadm', words: ['primary', guest] },
    clear,
    content: state,
  },
  secondary: {
    setUp: `${make} && drbdadm primary ${guest}`,
    call: `tx.drbd.secondary({ name: '${guest}' })`,
    act: { tool: 'drbdadm', words: ['secondary', guest] },
    clear,
    content: state,
  },
};
