import type { Noun } from '../../runtime/verb.ts';

export const crypt: Noun = {
  summary: 'encrypted devices (LUKS)',
  verbs: {
    list: ['list encrypted devices and the names under which they are open', () => import('./list.ts')],
    show: ['show the header of an encrypted device', () => import('./show.ts')],
    status: ['show an open encrypted device (mapping) by its name', () => import('./status.ts')],
    format: ['create an encrypted device (LUKS) on a blank device', () => import('./format.ts')],
    open: ['open an encrypted device; does nothing if it is open', () => import('./open.ts')],
    close: ['close an encrypted device that is open and not in use', () => import('./close.ts')],
    resize: [
      'resize an open encrypted device, but not the filesystem on it; the new size is lost when the device is closed',
      () => import('./resize.ts'),
    ],
    'add-key': ['add a key to an encrypted device', () => import('./add-key.ts')],
    'change-key': ['replace a key of an encrypted device', () => import('./change-key.ts')],
    'remove-key': [
      'destroy a key of an encrypted device; refused for the last one',
      () => import('./remove-key.ts'),
    ],
    erase: ['destroy all keys of a closed encrypted device: its data is lost', () => import('./erase.ts')],
    reencrypt: [
      'reencrypt all data of a closed device; may take hours, and is resumed after a crash',
      () => import('./reencrypt.ts'),
    ],
    header: {
      summary: 'the header of an encrypted device, with its key slots',
      verbs: {
        backup: [
          'save the header to a new file; protect this file like a key',
          () => import('./header/backup.ts'),
        ],
        restore: [
          'replace the header of a closed device, with all its keys, by a backup',
          () => import('./header/restore.ts'),
        ],
      },
    },
  },
};
