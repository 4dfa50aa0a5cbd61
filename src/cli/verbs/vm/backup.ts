import * as vm from '../../../api/vm.ts';
import { formatSize, parseSize } from '../../../core/units.ts';
import { present } from '../../../core/present.ts';
import { awayIn, outdated, targetOf } from '../../../vm/backup.ts';
import { checkBackup } from '../../../vm/request.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmBackup } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { pathOn } from '../../runtime/session.ts';
import { named, one, value, verb, wholeNumber } from '../../runtime/verb.ts';
import { noFreeze } from './freeze-option.ts';

/** Asks for confirmation only if an older backup will be removed. */
export default verb({
  changes: true,
  answers: 'vm backup',
  args: {
    name: ['<name>', 'name of the guest'],
    directory: ['<directory>', 'directory for the backups; HOST:/DIR on another host, by ssh'],
  },
  options: {
    keep: value(
      '<NUMBER>',
      'keep this many backups of this guest, including the new one, and remove older ones (default: keep all)',
      { read: wholeNumber },
    ),
    snapshotSize: value(
      '<SIZE>',
      'size of the snapshot of each disk, for what the guest writes during the backup (default: a fifth of the disk)',
      { read: named(parseSize) },
    ),
    recipient: value(
      '<KEY>',
      'encrypt the disks with age(1) for this public key (age1…, ssh-ed25519 …), or for those in this file (default: not encrypted)',
      { read: one },
    ),
    noFreeze,
  },
  examples: [
    'vm backup web1 /srv/backup',
    'vm backup web1 /srv/backup --keep 7 --snapshot-size 2g',
    'vm backup web1 /srv/backup --no-freeze',
    'vm backup web1 /srv/backup --recipient /root/backup-key.pub',
    'vm backup web1 storage1:/srv/backup --keep 7',
  ],
  run: (runtime, { name, directory: typed, keep, snapshotSize, recipient, noFreeze: unfrozen }) => {
    const directory = awayIn(typed) === undefined ? pathOn(runtime, typed) : typed;
    const recipients = recipient?.map((each) => (/^(?:age1|ssh-)/.test(each) ? each : pathOn(runtime, each)));
    const how = { ...present({ keep, snapshotSize, recipients }), ...(unfrozen ? { freeze: false } : {}) };
    checkBackup(how);
    const { mode, consent } = runtime.settings;
    return change<vm.SavedVm, VmBackup>(
      runtime,
      async ({ engine }) => {
        const asks = keep !== undefined && mode === 'act' && consent !== 'given';
        const target = asks ? await targetOf(engine, directory) : undefined;
        const surplus =
          target === undefined || keep === undefined
            ? []
            : await outdated(target.to?.host ?? engine.host, { directory: target.directory, name, keep });
        const shown = (path: string, host = target?.to?.asked): string =>
          printable(host === undefined ? path : `${host}:${path}`);
        const question = `this will remove ${surplus.length} older backups of ${name}:`;
        return {
          destroys: surplus.length === 0 ? [] : [question, ...surplus.map(({ path }) => `  ${shown(path)}`)],
          act: () =>
            vm.backup(name, directory, {
              ...how,
              ...(asks ? { agreed: surplus.map(({ path }) => path) } : {}),
            }),
          answer: ({ host, path, time, frozen, disks, removed }): Answer<VmBackup> => ({
            data: {
              ...{ name, host: host ?? null, path, time, frozen, removed: [...removed] },
              encrypted: recipients !== undefined,
              disks: disks.map(({ vdev, size, file }) => ({ vdev, size, fileSize: file.size })),
            },
            lines: [
              `${shown(path, host)} is a backup of ${name}, read back and verified`,
              ...(frozen ? ['its filesystems were frozen for the snapshots'] : []),
              ...disks.map(
                ({ vdev, size, file }) =>
                  `  ${vdev}: ${formatSize(size)}, compressed ${formatSize(file.size)}`,
              ),
              ...removed.map((old) => `${shown(old, host)} is removed`),
              `restore it${host === undefined ? '' : ', when its files are on a host with Xen'}: bofh vm restore ${printable(path)} --as NEW${recipients === undefined ? '' : ' --identity FILE'}`,
            ],
          }),
        };
      },
      { site: 'used' },
    );
  },
});
