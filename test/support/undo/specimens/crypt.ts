import type { KeyRef } from '../../../../src/command/index.ts';
import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import { emptyVolume, filledVolume, ownUuid } from '../stage.ts';
import type { Specimens } from '../specimens.ts';
import { noProgram } from './no-program.ts';

/** A key in a file of the host. */
function keyFile(host: SimulatedHost, name = 'web1', text = 'geheim'): KeyRef {
  const path = `/etc/keys/${name}`;
  host.admin.writeFile(path, text, 0o600);
  return { from: 'file', path };
}

const otherUuid = '5e1f0000-0000-4000-8000-00000000000f';
const consent = { shrink: 'lose the data beyond the new size' } as const;
const noInverse = 'its act comes after the commit, so its undo changes nothing';

/** A volume of ours from before, encrypted, and its key. */
function encryptedVolume(
  host: SimulatedHost,
  version: 1 | 2 = 2,
  moreKeys: Readonly<Record<number, string>> = {},
): { readonly device: string; readonly key: KeyRef } {
  const device = emptyVolume(host, 'web1-root');
  host.admin.luksFormat({ device, uuid: ownUuid, key: 'geheim', version, moreKeys });
  return { device, key: keyFile(host) };
}

/** A volume with a header in a file, and its key. */
function detachedVolume(
  host: SimulatedHost,
  how: 'closed' | 'open as web1' = 'closed',
): { readonly header: string; readonly key: KeyRef } {
  const { device, key } = encryptedVolume(host);
  const header = '/srv/web1.header';
  host.admin.luksHeaderBackup(device, header);
  if (how !== 'closed') host.admin.luksOpen(device, 'web1');
  host.admin.format(device, undefined);
  return { header, key };
}

/** An encrypted one, open as web1; it was opened under another name at first. */
function openVolume(host: SimulatedHost, first: string, size?: number): { readonly key: KeyRef } {
  const { device, key } = encryptedVolume(host);
  host.admin.luksOpen(device, first);
  const mapping = host.world.mappings.find(({ name }) => name === first);
  if (mapping !== undefined) Object.assign(mapping, { name: 'web1', size: size ?? mapping.size });
  return { key };
}

export const crypt: Specimens['crypt'] = {
  backupHeader: [
    {
      stage: (host) => {
        const { device } = encryptedVolume(host);
        return (tx) => tx.crypt.backupHeader({ device, file: '/srv/web1.header' });
      },
    },
  ],
  format: [
    {
      title: 'luks2',
      stage: (host) => {
        const device = emptyVolume(host, 'web1-root');
        const key = keyFile(host);
        return (tx) => tx.crypt.format({ device, key, label: 'web1' });
      },
    },
    {
      title: 'luks1 over another one',
      stage: (host) => {
        const device = filledVolume(host, 'web1-root', ownUuid);
        const key = keyFile(host);
        return (tx) => tx.crypt.format({ device, key, type: 'luks1', overwrite: { uuid: ownUuid } });
      },
      restored: (host) => host.admin.format('/dev/vg0/web1-root', undefined),
    },
  ],
  formatDetached: [
    {
      title: 'luks2, of a blank one',
      stage: (host) => {
        const device = emptyVolume(host, 'web1-root');
        const key = keyFile(host);
        return (tx) => tx.crypt.formatDetached({ device, key, header: '/srv/web1.header', label: 'web1' });
      },
    },
    {
      title: 'luks1, of one that holds something',
      stage: (host) => {
        const device = filledVolume(host, 'web1-root', ownUuid);
        const key = keyFile(host);
        const asked = { device, key, type: 'luks1', overwrite: { uuid: ownUuid } } as const;
        return (tx) => tx.crypt.formatDetached({ ...asked, header: '/srv/web1.header' });
      },
    },
  ],
  restoreHeader: [
    {
      title: 'with other keys',
      stage: (host) => {
        const { device } = encryptedVolume(host);
        host.admin.luksHeaderBackup(device, '/srv/web1.header');
        host.admin.luksFormat({ device, uuid: ownUuid, key: 'neu', moreKeys: { 3: 'anders' } });
        return (tx) => tx.crypt.restoreHeader({ device, file: '/srv/web1.header' });
      },
    },
    {
      title: 'of LUKS1, in the place of another one',
      stage: (host) => {
        const { device } = encryptedVolume(host, 1);
        host.admin.luksHeaderBackup(device, '/srv/web1.header');
        host.admin.luksFormat({ device, uuid: otherUuid, key: 'neu', version: 1 });
        return (tx) => tx.crypt.restoreHeader({ device, file: '/srv/web1.header', overwrite: otherUuid });
      },
    },
  ],
  open: [
    {
      title: 'a volume',
      stage: (host) => {
        const { device, key } = encryptedVolume(host);
        return (tx) => tx.crypt.open({ device, key });
      },
    },
    {
      title: 'read-only under a name of its own',
      stage: (host) => {
        const { device, key } = encryptedVolume(host);
        return (tx) => tx.crypt.open({ device, key, name: 'web1', mode: 'ro' });
      },
    },
    {
      title: 'by a header of its own',
      stage: (host) => {
        const { header, key } = detachedVolume(host);
        return (tx) => tx.crypt.open({ device: '/dev/vg0/web1-root', key, header });
      },
    },
    {
      title: 'one that is open already',
      stage: (host) => {
        const { device, key } = encryptedVolume(host);
        host.admin.luksOpen(device, 'by-hand');
        return (tx) => tx.crypt.open({ device, key });
      },
      notApplicable: noProgram,
    },
  ],
  close: [
    {
      title: 'opened by bofh',
      stage: (host) => {
        const { key } = openVolume(host, 'bofh.00000000abcd.1');
        return (tx) => tx.crypt.close({ name: 'web1', key });
      },
    },
    {
      title: 'opened by hand, and smaller than its device',
      stage: (host) => {
        const { key } = openVolume(host, 'web1', 32 * 1024 ** 2);
        return (tx) => tx.crypt.close({ name: '/dev/mapper/web1', key });
      },
    },
  ],
  closeAfterCommit: [
    {
      stage: (host) => {
        openVolume(host, 'web1');
        return (tx) => tx.crypt.closeAfterCommit({ name: 'web1' });
      },
      notApplicable: { 'inverse fails once': noInverse, 'inverse fails always': noInverse },
    },
  ],
  resize: [
    {
      title: 'smaller',
      stage: (host) => {
        const { key } = openVolume(host, 'web1');
        return (tx) => tx.crypt.resize({ name: 'web1', size: 16 * 1024 ** 2, key, ...consent });
      },
    },
    {
      title: 'to all of the device',
      stage: (host) => {
        const { key } = openVolume(host, 'web1', 16 * 1024 ** 2);
        return (tx) => tx.crypt.resize({ device: '/dev/vg0/web1-root', key });
      },
    },
    {
      title: 'smaller, by a header of its own',
      stage: (host) => {
        const { header, key } = detachedVolume(host, 'open as web1');
        const size = 16 * 1024 ** 2;
        return (tx) => tx.crypt.resize({ name: 'web1', size, key, header, ...consent });
      },
    },
    {
      title: 'to the size that it has',
      stage: (host) => {
        const { key } = openVolume(host, 'web1', 16 * 1024 ** 2);
        return (tx) => tx.crypt.resize({ name: 'web1', size: 16 * 1024 ** 2, key });
      },
      notApplicable: noProgram,
    },
  ],
  addKey: [
    {
      title: 'to LUKS2',
      stage: (host) => {
        const { device, key } = encryptedVolume(host);
        const newKey = keyFile(host, 'other', 'anders');
        return (tx) => tx.crypt.addKey({ device, key, newKey });
      },
    },
    {
      title: 'to a file with a detached header',
      stage: (host) => {
        const { header, key } = detachedVolume(host);
        const newKey = keyFile(host, 'other', 'anders');
        return (tx) => tx.crypt.addKey({ device: header, key, newKey });
      },
    },
    {
      title: 'to LUKS1, in a slot of its own',
      stage: (host) => {
        const { device, key } = encryptedVolume(host, 1);
        const newKey = keyFile(host, 'other', 'anders');
        return (tx) => tx.crypt.addKey({ device, key, newKey, slot: 5 });
      },
    },
  ],
  changeKey: [
    {
      title: 'in a file with a detached header',
      stage: (host) => {
        const { header, key } = detachedVolume(host);
        const newKey = keyFile(host, 'other', 'anders');
        return (tx) => tx.crypt.changeKey({ device: header, key, newKey });
      },
    },
    {
      title: 'on the device',
      stage: (host) => {
        const { device, key } = encryptedVolume(host);
        const newKey = keyFile(host, 'other', 'anders');
        return (tx) => tx.crypt.changeKey({ device, key, newKey });
      },
    },
  ],
  removeKey: [
    {
      stage: (host) => {
        const { device } = encryptedVolume(host, 2, { 3: 'anders' });
        return (tx) => tx.crypt.removeKey({ device, slot: 0 });
      },
      notApplicable: { 'inverse fails once': noInverse, 'inverse fails always': noInverse },
    },
  ],
  reencrypt: [
    {
      title: 'from its beginning',
      stage: (host) => {
        const { device, key } = encryptedVolume(host);
        return (tx) => tx.crypt.reencrypt({ device, key });
      },
      notApplicable: { 'inverse fails once': noInverse, 'inverse fails always': noInverse },
    },
    {
      title: 'whose part was torn by a crash',
      stage: (host) => {
        const { device, key } = encryptedVolume(host);
        host.admin.luksReencrypt({ device, key: 'geheim', done: 1024 ** 2, torn: true });
        return (tx) => tx.crypt.reencrypt({ device, key, resume: true });
      },
      notApplicable: { 'inverse fails once': noInverse, 'inverse fails always': noInverse },
    },
  ],
  erase: [
    {
      title: 'in a file with a detached header',
      stage: (host) => {
        const { header } = detachedVolume(host);
        return (tx) => tx.crypt.erase({ device: header, uuid: ownUuid });
      },
      notApplicable: { 'inverse fails once': noInverse, 'inverse fails always': noInverse },
    },
    {
      title: 'on the device',
      stage: (host) => {
        const { device } = encryptedVolume(host, 2, { 3: 'anders' });
        return (tx) => tx.crypt.erase({ device, uuid: ownUuid });
      },
      notApplicable: { 'inverse fails once': noInverse, 'inverse fails always': noInverse },
    },
  ],
};
