import { type Answer, type Command, type KeyInput, nothing } from '../command/index.ts';
import type { Reason } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { classifyCryptsetup } from './classify.ts';
import { present } from '../core/present.ts';

/** The parameters of an open device. */
export interface Opening {
  readonly device: string;
  readonly name: string;
  readonly mode: 'ro' | 'rw';
  readonly key: KeyInput;
  readonly flags?: readonly ActivationFlag[];
  /** The file with the detached header. */
  readonly header?: string | undefined;
}

/** The flags that a device can be opened with and that `cryptsetup status` shows afterwards. */
export const activationFlags = [
  'discards',
  'same_cpu_crypt',
  'submit_from_crypt_cpus',
  'no_read_workqueue',
  'no_write_workqueue',
] as const;

export type ActivationFlag = (typeof activationFlags)[number];

/** Whether a text is a flag for opening a device. */
export function isActivationFlag(text: string): text is ActivationFlag {
  return activationFlags.some((flag) => flag === text);
}

/**
 * Opens a device. The kernel refuses a name that is taken, and cryptsetup refuses a device that is
 * open: both exit with 5.
 */
export function luksOpen({ device, name, mode, key, flags = [], header }: Opening): Command<void, 'change'> {
  return {
    tool: 'cryptsetup',
    argv: [
      ...['open', '--type', 'luks'],
      ...activationOptions(mode, flags),
      ...headerOption(header),
      ...['--key-file=-', device, name],
    ],
    access: 'change',
    stdin: key,
    parse: nothing,
    classify: classifyCryptsetup,
  };
}

/** Returns the options for the access mode and the flags of an open device. */
export function activationOptions(mode: 'ro' | 'rw', flags: readonly ActivationFlag[]): readonly string[] {
  return [
    ...(mode === 'ro' ? ['--readonly'] : []),
    ...flags.map((flag) => (flag === 'discards' ? '--allow-discards' : `--perf-${flag}`)),
  ];
}

/** Returns the option for a detached header. */
export function headerOption(header: string | undefined): readonly string[] {
  return header === undefined ? [] : ['--header', header];
}

/**
 * Resizes an open device. LUKS2 keeps its volume key where cryptsetup cannot read it, so cryptsetup
 * asks for a key.
 */
export function luksResize(resize: {
  readonly name: string;
  readonly size: Bytes;
  readonly key?: KeyInput | undefined;
  /** The file with the detached header. */
  readonly header?: string | undefined;
}): Command<void, 'change'> {
  const { name, size, key, header } = resize;
  return {
    tool: 'cryptsetup',
    argv: [
      ...['resize', '--device-size', String(size)],
      ...headerOption(header),
      ...(key === undefined ? [] : ['--key-file=-']),
      name,
    ],
    access: 'change',
    ...present({ stdin: key }),
    parse: nothing,
    classify: classifyCryptsetup,
  };
}

/**
 * Closes a device. The kernel refuses while the device is in use; cryptsetup then retries for 5 s.
 */
export function luksClose(name: string): Command<void, 'change'> {
  return {
    tool: 'cryptsetup',
    argv: ['close', name],
    access: 'change',
    parse: nothing,
    classify: classifyCryptsetup,
  };
}

/** Renames a mapping; the kernel refuses a name that is taken. The uuid of the mapping stays. */
export function renameMapping(from: string, to: string): Command<void, 'change'> {
  return {
    tool: 'dmsetup',
    argv: ['rename', from, to],
    access: 'change',
    parse: nothing,
    classify: classifyDmsetup,
  };
}

/** Finds why dmsetup failed: it always exits with 1, and prints the message of the kernel last. */
export function classifyDmsetup({ stderr }: Answer): Reason {
  if (/No such device or address/.test(stderr)) return 'not-found';
  // The kernel also reports a name that is taken as busy.
  if (/Device or resource busy/.test(stderr)) return 'exists';
  return 'unknown';
}
