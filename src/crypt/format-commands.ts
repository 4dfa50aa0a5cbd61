import { classifyDevice } from '../blockdevice/index.ts';
import { type Command, type KeyInput, nothing } from '../command/index.ts';
import { classifyCryptsetup } from './classify.ts';
import { type Pbkdf, pbkdfOptions } from './key-commands.ts';
import { headerOption } from './open-commands.ts';

/** The parameters of a new encrypted device. */
export interface NewLuks {
  readonly device: string;
  readonly version: 1 | 2;
  readonly uuid: string;
  readonly label?: string | undefined;
  readonly key: KeyInput;
  readonly pbkdf: Pbkdf;
  /**
   * A new file for the header; then nothing is written to the device. An existing file would be
   * overwritten.
   */
  readonly header?: string | undefined;
}

/**
 * Writes the header. Without a terminal it overwrites any content (2.6), so probe first.
 * Only `--batch-mode` prevents the question on a terminal. It formats even a device that is too
 * small for data, exit 0.
 */
export function luksFormat({
  device,
  version,
  uuid,
  label,
  key,
  pbkdf,
  header,
}: NewLuks): Command<void, 'destroy'> {
  return {
    tool: 'cryptsetup',
    argv: [
      'luksFormat',
      '--batch-mode',
      ...['--type', `luks${version}`],
      ...['--uuid', uuid],
      ...(label === undefined ? [] : ['--label', label]),
      ...pbkdfOptions(pbkdf),
      ...headerOption(header),
      '--key-file=-',
      device,
    ],
    access: 'destroy',
    stdin: key,
    parse: nothing,
    classify: classifyCryptsetup,
  };
}

/** Erases both headers of a LUKS device, and nothing else. Never with `-f`: the kernel refuses a device that is in use. */
export function wipeLuks(device: string): Command<void, 'destroy'> {
  return {
    tool: 'wipefs',
    argv: ['--all', '--types', 'crypto_LUKS', device],
    access: 'destroy',
    repeatable: true,
    parse: nothing,
    classify: classifyDevice,
  };
}
