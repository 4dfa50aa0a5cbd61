import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { makeVolume, removeVolume, root } from './shell.ts';

const file = `/etc/drbd.d/${guest}.res`;
const on = (name: string, port: number): string =>
  `on ${name} { device minor 7; disk ${root}; meta-disk internal; address 127.0.0.1:${String(port)}; }`;

/** A resource with metadata whose data are up to date; its peer is never there. Their first promotion says so. */
// create-md asks before it writes over what it takes for data: also over what a trial before has left in those extents.
const written = `printf '%s\\n' 'resource ${guest} {' "${on('$(hostname)', 7795)}" '${on('peer', 7796)}' '}' > ${file}`;
const configured = `${makeVolume} && blkdiscard --zeroout ${root} && ${written}`;
const make = `${configured} && drbdadm create-md ${guest} && drbdadm up ${guest} && drbdadm primary --force ${guest} && drbdadm secondary ${guest}`;
const clear = `drbdsetup down ${guest}; rm -f ${file} /var/lib/drbd/drbd-minor-7.lkbd; ${removeVolume}`;
const state = `drbdsetup events2 --now ${guest}`;

const both = `['127.0.0.1', '127.0.0.2'].map((address, at) => ({ address, port: 7795, name: at === 0 ? hostname() : 'peer', volumes: [{ minor: 7, disk: '${root}' }] }))`;

/**
 * The same with a peer that is there: a second resource on this host, with a configuration that drbdadm reads
 * nowhere else. Both devices contain only zeros.
 */
const other = `/dev/vg0/${guest}-peer`;
const peerFile = '/run/rig-peer.conf';
const conf = (file: string, name: string, [first, second]: readonly [number, number]): string =>
  `printf '%s\\n' 'global { usage-count no; }' 'resource ${name} { net { verify-alg crc32c; allow-two-primaries no; }' "on $(hostname) { device minor ${String(first)}; disk ${first === 7 ? root : other}; meta-disk internal; address 127.0.0.1:${String(7788 + first)}; }" 'on peer { device minor ${String(first)}; disk ${root}; meta-disk internal; address 127.0.0.1:${String(7788 + second)}; }' '}' > ${file}`;
const waitFor = (what: string): string =>
  `for n in $(seq 100); do drbdsetup events2 --now ${guest} | grep -q '${what}' && break; sleep 0.2; done`;
const makeDisks = `${makeVolume} && lvcreate --quiet -y -W y -L 64M -n ${guest}-peer vg0 && blkdiscard --zeroout ${root} && blkdiscard --zeroout ${other}`;
const pair = `${makeDisks} && ${conf(file, guest, [7, 8])} && sed -i '/^global/d' ${file} && ${conf(peerFile, 'rigpeer', [8, 7])} && drbdadm create-md ${guest} && drbdadm -c ${peerFile} create-md rigpeer && drbdadm up ${guest} && drbdadm -c ${peerFile} up rigpeer && ${waitFor('connection:Connected')}`;
/** The other side by itself. */
export const peer = {
  makeDisks,
  up: `${conf(peerFile, 'rigpeer', [8, 7])} && drbdadm -c ${peerFile} create-md rigpeer && drbdadm -c ${peerFile} up rigpeer`,
};
const synced = `${pair} && drbdadm new-current-uuid --clear-bitmap ${guest}/0 && ${waitFor('disk:UpToDate')}`;
const clearPair = `drbdsetup down ${guest}; drbdsetup down rigpeer; rm -f ${file} ${peerFile} /var/lib/drbd/drbd-minor-7.lkbd /var/lib/drbd/drbd-minor-8.lkbd; rm -rf /run/bofh/notes; lvremove -q -y vg0/${guest}-peer; ${removeVolume}`;
/** Without what a resync that goes on has changed meanwhile. */
const settled = `${waitFor('replication:Established')}; ${state}`;

export const drbd: RigSpecimens['drbd'] = {
  attach: {
    setUp: `${make} && drbdadm detach ${guest}`,
    call: `tx.drbd.attach({ name: '${guest}' })`,
    act: { tool: 'drbdadm', words: ['attach', `${guest}/0`] },
    clear,
    content: state,
  },
  detach: {
    setUp: make,
    call: `tx.drbd.detach({ name: '${guest}' })`,
    act: { tool: 'drbdadm', words: ['detach', `${guest}/0`] },
    clear,
    content: state,
  },
  connect: {
    setUp: `${make} && drbdadm disconnect ${guest}`,
    call: `tx.drbd.connect({ name: '${guest}' })`,
    act: { tool: 'drbdadm', words: ['connect', guest] },
    clear,
    content: state,
  },
  disconnect: {
    setUp: make,
    call: `tx.drbd.disconnect({ name: '${guest}' })`,
    act: { tool: 'drbdadm', words: ['disconnect', guest] },
    clear,
    content: state,
  },
  pauseSync: {
    setUp: make,
    call: `tx.drbd.pauseSync({ name: '${guest}' })`,
    act: { tool: 'drbdadm', words: ['pause-sync', `${guest}/0`] },
    clear,
    content: state,
  },
  resumeSync: {
    setUp: `${make} && drbdadm pause-sync ${guest}`,
    call: `tx.drbd.resumeSync({ name: '${guest}' })`,
    act: { tool: 'drbdadm', words: ['resume-sync', `${guest}/0`] },
    clear,
    content: state,
  },
  adjust: {
    setUp: `${make} && drbdadm disconnect ${guest}`,
    call: `tx.drbd.adjust({ name: '${guest}' })`,
    act: { tool: 'drbdadm', words: ['adjust', '!--dry-run'] },
    clear,
    deferred: `test -z "$(drbdadm --dry-run adjust ${guest})"`,
  },
  newCurrentUuid: {
    setUp: pair,
    call: `tx.drbd.newCurrentUuid({ name: '${guest}' })`,
    act: { tool: 'drbdadm', words: ['new-current-uuid', '--clear-bitmap'] },
    clear: clearPair,
    deferred: `${state} | grep -q 'disk:UpToDate'`,
  },
  invalidate: {
    setUp: synced,
    call: `tx.drbd.invalidate({ name: '${guest}' })`,
    act: { tool: 'drbdadm', words: ['invalidate', `${guest}/0`] },
    clear: clearPair,
    deferred: `test -n "$(ls /run/bofh/notes)"`,
  },
  invalidateRemote: {
    setUp: synced,
    call: `tx.drbd.invalidateRemote({ name: '${guest}' })`,
    act: { tool: 'drbdadm', words: ['invalidate-remote', `${guest}/0`] },
    clear: clearPair,
    deferred: `test -n "$(ls /run/bofh/notes)"`,
  },
  resize: {
    setUp: `${synced} && drbdadm primary ${guest} && lvextend -q -L +4M vg0/${guest}-root && lvextend -q -L +4M vg0/${guest}-peer`,
    call: `tx.drbd.resize({ name: '${guest}' })`,
    act: { tool: 'drbdadm', words: ['resize', `${guest}/0`] },
    clear: `drbdadm secondary ${guest}; ${clearPair}`,
    deferred: `test "$(blockdev --getsize64 /dev/drbd7)" -gt $((64 * 1024 * 1024))`,
  },
  verify: {
    setUp: synced,
    call: `tx.drbd.verify({ name: '${guest}' })`,
    act: { tool: 'drbdadm', words: ['verify', `${guest}/0`] },
    clear: clearPair,
    content: settled,
  },
  createConfig: {
    setUp: 'true',
    call: `import('node:os').then(({ hostname }) => tx.drbd.createConfig({ name: '${guest}', hosts: ${both} }))`,
    act: { act: 'link', path: file },
    clear: `rm -f ${file}`,
  },
  createMetadata: {
    setUp: `${configured} && dd if=/dev/urandom of=${root} bs=4096 seek=$((16384 - 10)) count=10 conv=notrunc,fsync status=none`,
    call: `tx.drbd.createMetadata({ name: '${guest}' })`,
    act: { tool: 'drbdmeta', words: ['create-md'] },
    clear,
    content: `sha256sum ${root}`,
  },
  removeMetadata: {
    setUp: `${configured} && drbdadm create-md ${guest} && drbdmeta 7 v08 ${root} internal write-dev-uuid 5e1f000000000001 && dd if=/dev/urandom of=${root} bs=4096 count=10 conv=notrunc,fsync status=none`,
    call: `tx.drbd.removeMetadata({ name: '${guest}', uuid: '5e1f000000000001' })`,
    act: { tool: 'dd', words: ['conv=nocreat,notrunc,fsync'] },
    clear,
    content: `sha256sum ${root}`,
  },
  removeConfig: {
    setUp: written,
    call: `tx.drbd.removeConfig({ name: '${guest}' })`,
    act: { act: 'unlink', path: file },
    clear: `rm -f ${file}`,
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
