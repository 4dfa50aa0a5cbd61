import type { KeyRef } from '../../../../src/command/index.ts';
import type { SimulatedHost } from '../../../../src/testing/index.ts';
import { emptyVolume, filledVolume, ownUuid } from '../stage.ts';
import type { Specimens } from '../specimens.ts';
import { noProgram } from './no-program.ts';

/** A key in a file of the host. */
function keyFile(host: SimulatedHost, name = 'web1', text = 'geheim'): KeyRef {
  const path = `/etc/keys/${name}`;
  host.admin.writeFile(path, text, 0o600);
  return { from: 'file', path };
}

/** A volume of ours from before, encrypted, and its key. */
function encryptedVolume(host: SimulatedHost): { readonly device: string; readonly key: KeyRef } {
  const device = emptyVolume(host, 'web1-root');
  host.admin.luksFormat({ device, uuid: ownUuid, key: 'geheim' });
  return { device, key: keyFile(host) };
}

export const crypt: Specimens['crypt'] = {
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
      title: 'one that is open already',
      stage: (host) => {
        const { device, key } = encryptedVolume(host);
        host.admin.luksOpen(device, 'by-hand');
        return (tx) => tx.crypt.open({ device, key });
      },
      notApplicable: noProgram,
    },
  ],
};
