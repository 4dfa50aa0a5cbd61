import * as vm from '../../../api/vm.ts';
import { UsageError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import { keyOption } from '../../../vm/guest-crypttab.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmMount } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { pathOn } from '../../runtime/session.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { flag, listRead, value, verb } from '../../runtime/verb.ts';
import { keyFile } from './key-file.ts';

export default verb({
  changes: true,
  answers: 'vm mount',
  args: {
    name: ['<name>', 'name of the guest'],
    directory: ['[directory]', 'empty directory (default: a new one below /run/bofh/mnt)'],
  },
  options: {
    readOnly: flag('mount it read-only'),
    keyFile: value(
      '<DISK=FILE>',
      'open an encrypted disk with the key in this file of the host (default: the key file in the guest); DISK is its name in vm create --disk, in the guest (xvdb) or in its /etc/crypttab',
      { read: listRead(diskAndFile) },
    ),
  },
  examples: [
    'vm mount web1',
    'vm mount web1 /mnt --read-only',
    'vm mount web1 --key-file data=/root/data.key',
  ],
  run: (runtime, { name, directory, readOnly, keyFile: typed }) => {
    const path = pathOn(runtime, directory);
    const keys = keysOf(runtime, typed);
    return change(
      runtime,
      {
        act: () =>
          vm.mount(name, { ...(readOnly ? { mode: 'ro' as const } : {}), ...present({ path, keys }) }),
        answer: (made): Answer<VmMount> => {
          const data: VmMount = {
            ...{ name, ...made },
            mounts: made.mounts.map((each) => ({ ...each })),
            closed: made.closed.map((each) => ({ ...each })),
          };
          return { data, lines: inWords(data) };
        },
      },
      { site: 'used' },
    );
  },
});

type TypedKey = readonly [disk: string, file: string];

/** Parses `data=/root/data.key`. */
function diskAndFile(text: string, option: string): readonly TypedKey[] {
  const { disk, file } = /^(?<disk>[^=]+)=(?<file>.+)$/s.exec(text)?.groups ?? {};
  if (disk === undefined || file === undefined)
    throw new UsageError(`${option} ${text}: must be DISK=FILE`, {
      remedy: `for example ${option} data=/root/data.key`,
    });
  return [[disk, file]];
}

function keysOf(runtime: Runtime, typed: readonly TypedKey[] | undefined) {
  const names = typed?.map(([disk]) => disk) ?? [];
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw new UsageError(`--key-file ${twice} is given twice`);
  return typed === undefined
    ? undefined
    : Object.fromEntries(typed.map(([disk, file]) => [disk, keyFile(runtime, file)]));
}

function inWords({ name, path, changed, mounts, closed }: VmMount): readonly string[] {
  return [
    changed
      ? `the disks of ${name} are mounted on ${printable(path)}`
      : `nothing to do: the disks of ${name} are mounted on ${printable(path)} already`,
    ...mounts.map(
      (each) =>
        `  ${printable(each.device)} on ${printable(each.path)}${each.mode === 'ro' ? ', read-only' : ''}`,
    ),
    ...closed.map(
      (each) =>
        `left out: ${printable(each.target)}, in the LUKS of ${each.device}, for which there is no key: bofh vm unmount ${name}; ${keyOption(name, each.name)}`,
    ),
    `before ${name} can start: bofh vm unmount ${name}`,
  ];
}
