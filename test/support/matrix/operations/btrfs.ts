import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { uuid } from './shell.ts';

const disk = `/dev/vg0/${guest}-pool`;
const pool = `/srv/${guest}-pool`;

/** A btrfs of 256 MiB with a filled subvolume in it. */
const makePool =
  `lvcreate --quiet -y -W y -L 256M -n ${guest}-pool vg0 && mkfs.btrfs -q -U ${uuid} ${disk} && mkdir -p ${pool} && ` +
  `mount ${disk} ${pool} && btrfs subvolume create ${pool}/home && echo kept > ${pool}/home/kept && ` +
  `echo 'UUID=${uuid} ${pool} btrfs nofail 0 0' >> /etc/fstab`;
// The kernel remembers each device that it has seen: with one of the last trial's, the next pool of that UUID would not be mounted.
const removePool = `sed -i '/^UUID=${uuid} /d' /etc/fstab; umount ${pool}; btrfs device scan --forget; rmdir ${pool}; lvremove -q -y vg0/${guest}-pool`;

const [secondDisk, second] = [`/dev/vg0/${guest}-second`, `/srv/${guest}-second`];
const secondUuid = uuid.replace(/.$/, '7');

/** The same with a read-only snapshot in it, and a second btrfs to send it to. */
const makeSent =
  `${makePool} && btrfs subvolume snapshot -r ${pool}/home ${pool}/sent && ` +
  `lvcreate --quiet -y -W y -L 256M -n ${guest}-second vg0 && mkfs.btrfs -q -U ${secondUuid} ${secondDisk} && ` +
  `mkdir -p ${second} && mount ${secondDisk} ${second} && ` +
  `echo 'UUID=${secondUuid} ${second} btrfs nofail 0 0' >> /etc/fstab`;
const removeSecond =
  `sed -i '/^UUID=${secondUuid} /d' /etc/fstab; umount ${second}; rmdir ${second}; ` +
  `lvremove -q -y vg0/${guest}-second; ${removePool}`;

/** What the fingerprint of the host does not see: subvolumes with their ids and flags, files, limits. */
function inside(at: string): string {
  return [
    `btrfs subvolume list -auqR ${at} | sed 's/ gen [0-9]* / /'`,
    `btrfs subvolume get-default ${at} | sed 's/ gen [0-9]* / /'`,
    `btrfs subvolume list -r ${at} | sed 's/ gen [0-9]* / /'`,
    `find ${at} -printf '%P %y %m\\n' | sort`,
    `btrfs qgroup show --raw -re ${at} 2>&1 | awk '{ print $1, $4, $5 }' | sort`,
  ].join('; ');
}

const content = inside(pool);
const contents = `${content}; ${inside(second)}`;

const more = `/dev/vg0/${guest}-more`;
const makeMore = `${makePool} && lvcreate --quiet -y -W y -L 256M -n ${guest}-more vg0`;
const removeMore = `${removePool}; lvremove -q -y vg0/${guest}-more`;
/** Its devices too, without what the kernel draws at random. */
const contentWithDevices = `${content}; btrfs filesystem show ${pool} | sed 's/ used .* path / path /'; blkid -p ${more} | sed 's/UUID_SUB=[^ ]*//'`;

export const btrfs: RigSpecimens['btrfs'] = {
  addDevice: {
    setUp: makeMore,
    call: `tx.btrfs.addDevice({ path: '${pool}', device: '${more}' })`,
    act: { tool: 'btrfs', words: ['device', 'add'] },
    clear: removeMore,
    content: contentWithDevices,
  },
  replaceDevice: {
    setUp: makeMore,
    call: `tx.btrfs.replaceDevice({ path: '${pool}', device: '${disk}', by: '${more}' })`,
    act: { tool: 'btrfs', words: ['replace', 'start'] },
    clear: removeMore,
    deferred: `btrfs filesystem show ${pool} | grep -q -- -more$`,
    content: contentWithDevices,
  },
  removeDevice: {
    setUp: `${makeMore} && btrfs device add ${more} ${pool}`,
    call: `tx.btrfs.removeDevice({ path: '${pool}', device: '${more}' })`,
    act: { tool: 'btrfs', words: ['device', 'remove'], stop: 'safe' },
    clear: removeMore,
    content: contentWithDevices,
  },
  createSubvolume: {
    setUp: makePool,
    call: `tx.btrfs.createSubvolume({ path: '${pool}/new' })`,
    act: { tool: 'btrfs', words: ['subvolume', 'create'] },
    clear: removePool,
    content,
  },
  snapshot: {
    setUp: makePool,
    call: `tx.btrfs.snapshot({ source: '${pool}/home', path: '${pool}/snap', mode: 'ro' })`,
    act: { tool: 'btrfs', words: ['subvolume', 'snapshot'] },
    clear: removePool,
    content,
  },
  copySubvolume: {
    setUp: makeSent,
    call: `tx.btrfs.copySubvolume({ source: '${pool}/sent', into: '${second}' })`,
    act: { tool: 'btrfs', words: ['receive'], stop: 'safe' },
    clear: removeSecond,
    content: contents,
  },
  receiveSubvolume: {
    setUp: `${makeSent} && btrfs send -q -f /srv/${guest}.stream ${pool}/sent`,
    call: `tx.btrfs.receiveSubvolume({ file: '/srv/${guest}.stream', into: '${second}' })`,
    act: { tool: 'btrfs', words: ['receive', '-f'], stop: 'safe' },
    clear: `rm -f /srv/${guest}.stream; ${removeSecond}`,
    content: contents,
  },
  sendToFile: {
    setUp: `${makePool} && btrfs subvolume snapshot -r ${pool}/home ${pool}/sent`,
    call: `tx.btrfs.sendToFile({ source: '${pool}/sent', file: '/srv/${guest}.stream' })`,
    act: { tool: 'btrfs', words: ['send', '-f'], stop: 'safe' },
    clear: `rm -f /srv/${guest}.stream; ${removePool}`,
    content,
  },
  sendToDevice: {
    setUp: `${makePool} && btrfs subvolume snapshot -r ${pool}/home ${pool}/sent && lvcreate --quiet -y -W y -L 16M -n ${guest}-stream vg0`,
    call: `tx.btrfs.sendToDevice({ source: '${pool}/sent', device: '/dev/vg0/${guest}-stream' })`,
    act: { tool: 'dd', words: ['iflag=fullblock,count_bytes'], stop: 'safe' },
    clear: `lvremove -q -y vg0/${guest}-stream; ${removePool}`,
    content: `${content}; head -c 512 /dev/vg0/${guest}-stream | od -c; tail -c 4096 /dev/vg0/${guest}-stream | od -c`,
  },
  removeSubvolume: {
    setUp: makePool,
    call: `tx.btrfs.removeSubvolume({ path: '${pool}/home' })`,
    act: { tool: 'mv', words: [`${pool}/home`] },
    clear: removePool,
    content,
  },
  scrub: {
    setUp: makePool,
    call: `tx.btrfs.scrub({ path: '${pool}' })`,
    act: { tool: 'btrfs', words: ['scrub', 'start'], stop: 'safe' },
    clear: removePool,
    content,
  },
  balance: {
    setUp: makePool,
    call: `tx.btrfs.balance({ path: '${pool}', dataUsage: 50 })`,
    act: { tool: 'btrfs', words: ['balance', 'start'], stop: 'safe' },
    clear: removePool,
    content,
  },
  setQuota: {
    setUp: makePool,
    call: `tx.btrfs.setQuota({ path: '${pool}', mode: 'on' })`,
    act: { tool: 'btrfs', words: ['quota', 'enable'] },
    clear: removePool,
    content,
  },
  limitSubvolume: {
    setUp: `${makePool} && btrfs quota enable ${pool} && btrfs quota rescan -w ${pool}`,
    call: `tx.btrfs.limitSubvolume({ path: '${pool}/home', what: 'referenced', limit: 67108864 })`,
    act: { tool: 'btrfs', words: ['qgroup', 'limit'] },
    clear: removePool,
    content,
  },
  setDefaultSubvolume: {
    setUp: makePool,
    call: `tx.btrfs.setDefaultSubvolume({ path: '${pool}/home' })`,
    act: { tool: 'btrfs', words: ['subvolume', 'set-default'] },
    clear: removePool,
    content,
  },
  moveTopLevel: {
    setUp: `${makePool} && mkdir ${pool}/etc && echo kept > ${pool}/etc/passwd && echo kept > ${pool}/kept`,
    call: `tx.btrfs.moveTopLevel({ path: '${pool}/home/data' })`,
    act: { tool: 'btrfs', words: ['subvolume', 'snapshot', pool] },
    clear: removePool,
    content,
  },
  setProperty: {
    setUp: makePool,
    call: `tx.btrfs.setProperty({ path: '${pool}/home', mode: 'ro' })`,
    act: { tool: 'btrfs', words: ['property', 'set'] },
    clear: removePool,
    content,
  },
};
