import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { makeVolume, removeVolume, root, uuid } from './shell.ts';

const key = '/run/rig-key';
/** A second key: any file that every Debian has. */
const other = '/etc/debian_version';
const makeKey = `printf geheim > ${key}`;
const makeLuks = `cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --uuid ${uuid} --key-file=- ${root} < ${key}`;
const openLuks = `cryptsetup open --type luks --key-file=- ${root} ${guest} < ${key}`;
const backup = `/srv/${guest}.header`;
/** As fast as it gets: what is tried here is not the key. */
const quick = `type: 'luks2', pbkdf: 'pbkdf2', pbkdfTimeMs: 10`;

/** Its keys, and that ours opens it; and how it is mapped where it is open. */
const slots = `cryptsetup luksDump ${root} | grep -E '^ +[0-9]+: luks2'; cryptsetup open --test-passphrase --key-file ${key} ${root}; echo $?`;
const table = `dmsetup table ${guest}`;

export const crypt: RigSpecimens['crypt'] = {
  backupHeader: {
    setUp: `${makeVolume} && ${makeKey} && ${makeLuks}`,
    call: `tx.crypt.backupHeader({ device: '${root}', file: '${backup}' })`,
    act: { tool: 'cryptsetup', words: ['luksHeaderBackup'] },
    clear: `${removeVolume}; rm -f ${key} ${backup}`,
    content: slots,
  },
  format: {
    setUp: `${makeVolume} && ${makeKey}`,
    call: `tx.crypt.format({ device: '${root}', key: { from: 'file', path: '${key}' }, ${quick} })`,
    act: { tool: 'cryptsetup', words: ['luksFormat'] },
    clear: `${removeVolume}; rm -f ${key}`,
  },
  formatDetached: {
    setUp: `${makeVolume} && ${makeKey}`,
    call: `tx.crypt.formatDetached({ device: '${root}', header: '${backup}', key: { from: 'file', path: '${key}' }, ${quick} })`,
    act: { tool: 'cryptsetup', words: ['luksFormat'] },
    clear: `${removeVolume}; rm -f ${key} ${backup}`,
  },
  restoreHeader: {
    setUp: `${makeVolume} && ${makeKey} && ${makeLuks} && cryptsetup luksHeaderBackup ${root} --header-backup-file ${backup} && cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file ${key} ${root} ${other}`,
    call: `tx.crypt.restoreHeader({ device: '${root}', file: '${backup}' })`,
    act: { tool: 'cryptsetup', words: ['luksHeaderRestore'] },
    clear: `${removeVolume}; rm -f ${key} ${backup}`,
    content: `cryptsetup luksDump --dump-json-metadata ${root}; ls -A /var/lib/bofh/headers 2>/dev/null || true`,
  },
  open: {
    setUp: `${makeVolume} && ${makeKey} && ${makeLuks}`,
    call: `tx.crypt.open({ device: '${root}', key: { from: 'file', path: '${key}' } })`,
    act: { tool: 'cryptsetup', words: ['open', '!--test-passphrase'] },
    clear: `${removeVolume}; rm -f ${key}`,
    content: slots,
  },
  close: {
    setUp: `${makeVolume} && ${makeKey} && ${makeLuks} && ${openLuks}`,
    call: `tx.crypt.close({ name: '${guest}', key: { from: 'file', path: '${key}' } })`,
    act: { tool: 'cryptsetup', words: ['close'] },
    clear: `cryptsetup close ${guest}; ${removeVolume}; rm -f ${key}`,
    content: table,
  },
  closeAfterCommit: {
    setUp: `${makeVolume} && ${makeKey} && ${makeLuks} && ${openLuks}`,
    call: `tx.crypt.closeAfterCommit({ name: '${guest}' })`,
    act: { tool: 'cryptsetup', words: ['close'] },
    clear: `${removeVolume}; rm -f ${key}`,
    deferred: `! test -e /dev/mapper/${guest}`,
  },
  resize: {
    setUp: `${makeVolume} && ${makeKey} && ${makeLuks} && ${openLuks}`,
    call: `tx.crypt.resize({ name: '${guest}', size: 16777216, shrink: 'lose the data beyond the new size', key: { from: 'file', path: '${key}' } })`,
    act: { tool: 'cryptsetup', words: ['resize'] },
    clear: `cryptsetup close ${guest}; ${removeVolume}; rm -f ${key}`,
    content: table,
  },
  addKey: {
    setUp: `${makeVolume} && ${makeKey} && ${makeLuks}`,
    call: `tx.crypt.addKey({ device: '${root}', key: { from: 'file', path: '${key}' }, newKey: { from: 'file', path: '${other}' } })`,
    act: { tool: 'cryptsetup', words: ['luksAddKey'] },
    clear: `${removeVolume}; rm -f ${key}`,
    content: slots,
  },
  changeKey: {
    setUp: `${makeVolume} && ${makeKey} && ${makeLuks}`,
    call: `tx.crypt.changeKey({ device: '${root}', key: { from: 'file', path: '${key}' }, newKey: { from: 'file', path: '${other}' } })`,
    act: { tool: 'cryptsetup', words: ['luksAddKey'] },
    clear: `${removeVolume}; rm -f ${key}`,
    content: slots,
  },
  removeKey: {
    setUp: `${makeVolume} && ${makeKey} && ${makeLuks} && cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file ${key} ${root} ${other}`,
    call: `tx.crypt.removeKey({ device: '${root}', slot: 0 })`,
    act: { tool: 'cryptsetup', words: ['luksKillSlot'] },
    clear: `${removeVolume}; rm -f ${key}`,
    deferred: `cryptsetup open --test-passphrase --key-file ${other} ${root} && ! cryptsetup open --test-passphrase --key-file ${key} ${root}`,
  },
  reencrypt: {
    setUp: `${makeVolume} && ${makeKey} && ${makeLuks}`,
    call: `tx.crypt.reencrypt({ device: '${root}', key: { from: 'file', path: '${key}' } })`,
    act: { tool: 'cryptsetup', words: ['reencrypt'] },
    clear: `${removeVolume}; rm -f ${key}`,
    // The new key is in another slot, and nothing of the work is left.
    deferred: `cryptsetup open --test-passphrase --key-slot 1 --key-file ${key} ${root} && ! cryptsetup luksDump ${root} | grep -q reencrypt`,
  },
  erase: {
    setUp: `${makeVolume} && ${makeKey} && ${makeLuks}`,
    call: `tx.crypt.erase({ device: '${root}', uuid: '${uuid}' })`,
    act: { tool: 'cryptsetup', words: ['luksErase'] },
    clear: `${removeVolume}; rm -f ${key}`,
    deferred: `! cryptsetup open --test-passphrase --key-file ${key} ${root}`,
  },
};
