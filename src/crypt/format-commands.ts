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
   * A new file for the header; nothing is then written to the device. cryptsetup would overwrite an
   * existing file.
   */
  readonly header?: string | undefined;
}

/**
 * Writes the header. Without a terminal cryptsetup overwrites any content (2.6), so probe first; on
 * a terminal only `--batch-mode` prevents the question. Even a device that is too small for data is
 * formatted with exit code 0.
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

/**
 * Erases only the two headers of a LUKS device. Never with `-f`, so that the kernel refuses a
 * device in use.
 */
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
