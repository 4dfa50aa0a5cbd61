import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { makeVolume, removeVolume, root } from './shell.ts';

const file = `/etc/drbd.d/${guest}.res`;
const on = (name: string, port: number): string =>
  `on ${name} { device minor 7; disk ${root}; meta-disk internal; address 127.0.0.1:${String(port)}; }`;

/** A resource with metadata whose data are up to date; its peer is never there. Their first promotion says so. */
// create-md asks before it writes over what it takes for data: also over what a trial before has left in those extents.
const configured = `${makeVolume} && blkdiscard --zeroout ${root} && printf '%s\\n' 'resource ${guest} {' "${on('$(hostname)', 7795)}" '${on('peer', 7796)}' '}' > ${file}`;
const make = `${configured} && drbdadm create-md ${guest} && drbdadm up ${guest} && drbdadm primary --force ${guest} && drbdadm secondary ${guest}`;
const clear = `drbdsetup down ${guest}; rm -f ${file} /var/lib/drbd/drbd-minor-7.lkbd; ${removeVolume}`;
const state = `drbdsetup events2 --now ${guest}`;

const both = `['127.0.0.1', '127.0.0.2'].map((address, at) => ({ address, port: 7795, name: at === 0 ? hostname() : 'peer', volumes: [{ minor: 7, disk: '${root}' }] }))`;

export const drbd: RigSpecimens['drbd'] = {
  createConfig: {
    setUp: makeVolume,
    call: `import('node:os').then(({ hostname }) => tx.drbd.createConfig({ name: '${guest}', hosts: ${both} }))`,
    act: { act: 'link', path: file },
    clear: `rm -f ${file}; ${removeVolume}`,
  },
  createMetadata: {
    setUp: `${configured} && dd if=/dev/urandom of=${root} bs=4096 seek=$((16384 - 10)) count=10 conv=notrunc,fsync status=none`,
    call: `tx.drbd.createMetadata({ name: '${guest}' })`,
    act: { tool: 'drbdmeta', words: ['create-md'] },
    clear,
    content: `sha256sum ${root}`,
  },
  removeConfig: {
    setUp: `${make} && drbdadm down ${guest}`,
    call: `tx.drbd.removeConfig({ name: '${guest}' })`,
    act: { act: 'unlink', path: file },
    clear,
  },
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
