import { posix } from 'node:path';
import * as vm from '../../../api/vm.ts';
import { present } from '../../../core/present.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmRestore } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { sharedLines } from './shared-lines.ts';
import { pathOn } from '../../runtime/session.ts';
import { flag, value, verb } from '../../runtime/verb.ts';
import { backupPath } from './backup-path.ts';

export default verb({
  changes: true,
  answers: 'vm restore',
  args: { file: ['<file>', 'manifest of a backup'] },
  options: {
    as: value(
      '<NAME>',
      'restore it under this name, with new volumes, MAC addresses and UUID (default: the name in the backup)',
    ),
    vg: value('<VG>', 'volume group for all its disks (default: that of each disk)'),
    thin: value(
      '<POOL>',
      'thin pool for its disks (default: the former pool of each disk; if --vg is given: no thin pool)',
    ),
    identity: value('<FILE>', 'file with the secret key of age, for an encrypted backup'),
    start: flag('start the guest when it is restored'),
  },
  examples: [
    'vm restore /srv/backup/web1.20261124T155337Z.json',
    'vm restore /srv/backup/web1.20261124T155337Z.json --as web2 --start',
    'vm restore /srv/backup/web1.20261124T155337Z.json --identity /root/backup-key',
  ],
  run: (runtime, { file: typed, as, vg, thin, identity: key, start }) => {
    const file = backupPath(
      runtime,
      typed,
      (host, path) =>
        `copy its files to this host: scp -p ${host}:${path.replace(/json$/, '*')} DIR; then: bofh vm restore DIR/${posix.basename(path)}`,
    );
    return change(
      runtime,
      {
        act: () =>
          vm.restore(file, {
            start,
            ...present({ as, vg, thin, identity: pathOn(runtime, key) }),
          }),
        answer: (made): Answer<VmRestore> => {
          const { name, was, backup, time, config, disks, missing, shared, domid = null } = made;
          const data: VmRestore = {
            ...{
              name,
              was,
              backup,
              time,
              config: config.path,
              domid,
              missing: [...missing],
              shared: [...shared],
            },
            disks: disks.map((disk) => ({
              vdev: disk.vdev,
              volume: `${disk.vg}/${disk.volume}`,
              size: disk.size,
              replica: disk.replica ?? null,
            })),
          };
          return { data, lines: inWords(data) };
        },
      },
      { site: 'used' },
    );
  },
});

function inWords({ name, was, time, config, disks, missing, shared, domid }: VmRestore): readonly string[] {
  return [
    `${name} is restored from the backup of ${was} of ${time}, configured in ${printable(config)}`,
    ...disks.map(({ vdev, volume }) => `  ${vdev} is ${volume}`),
    ...disks.flatMap(({ volume, replica }) =>
      replica === null
        ? []
        : [
            `${volume} is not replicated, as ${replica} was; to replicate it: bofh drbd convert ${volume} --to HOST`,
          ],
    ),
    ...(name === was
      ? []
      : [`the host name inside, its addresses and the UUIDs of its filesystems are still those of ${was}`]),
    ...sharedLines({ shared, config, other: was }),
    ...missing.map((file) => `this host has no ${printable(file)}: name another in ${printable(config)}`),
    domid === null ? `start it: bofh vm start ${name}` : `it runs as domain ${String(domid)}`,
  ];
}
