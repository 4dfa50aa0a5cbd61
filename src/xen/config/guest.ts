import { UsageError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import { type Disk, parseDisk } from './disk.ts';
import type { ConfigValue, ParsedConfig } from './parse.ts';
import { parseVif, type Vif } from './vif.ts';

/** The parts of a guest's config file that bofh uses. */
export interface GuestConfig {
  readonly file: string;
  readonly name: string;
  /** Lower case. Without one xl generates one at each start. */
  readonly uuid?: string;
  readonly type: 'pv' | 'pvh' | 'hvm';
  readonly memoryMiB: number;
  readonly vcpus: number;
  /** `maxmem`; missing: `memoryMiB`. */
  readonly maxMemoryMiB?: number;
  /** `maxvcpus`; missing: `vcpus`. */
  readonly maxVcpus?: number;
  /** `cpu_weight`; missing: 256. */
  readonly weight?: number;
  /** Path on this host, as for `ramdisk`; missing if a bootloader reads the file from the guest. */
  readonly kernel?: string;
  readonly ramdisk?: string;
  /** `root`, or `root=` of `cmdline` or `extra`, without `ro`, as the kernel of the guest reads it. */
  readonly root?: string;
  readonly disks: readonly Disk[];
  readonly vifs: readonly Vif[];
}

/**
 * The typed view of a parsed file (xl.cfg(5)). Throws UsageError "FILE:LINE: …": stricter than xl,
 * which warns about a memory that is not a number, ignores it, and starts the guest with its
 * default (xl 4.17: test/fixtures/xl/check-bad-memory).
 */
export function guestConfig(config: ParsedConfig): GuestConfig {
  const read: ConfigReader = readerOf(config);
  const name = read.text('name');
  if (name === undefined || name === '') read.fail('name', 'expected name = "…": a guest needs a name');
  const uuid = read.text('uuid')?.toLowerCase();
  if (uuid !== undefined && !isUuid(uuid)) read.fail('uuid', `"${uuid}" is no UUID`);
  if (/^ | $/.test(name))
    read.fail('name', 'expected a name without a blank at its start or end: xl list does not show it');
  // Without `memory` the guest starts with its `maxmem`.
  const memoryMiB = read.number('memory') ?? read.number('maxmem');
  if (memoryMiB === undefined) read.fail('memory', 'expected memory = … (MiB), or maxmem');
  const bootloader = read.text('bootloader');
  const kernel = bootloader === undefined ? read.text('kernel') : undefined;
  const ramdisk = bootloader === undefined ? read.text('ramdisk') : undefined;
  return {
    file: config.file,
    name,
    ...present({ uuid }),
    type: typeOf(read),
    memoryMiB,
    vcpus: read.number('vcpus') ?? 1,
    ...present({
      maxMemoryMiB: read.number('maxmem'),
      maxVcpus: read.number('maxvcpus'),
      weight: read.number('cpu_weight'),
      kernel,
      ramdisk,
      root: rootOf(read),
    }),
    disks: read.list('disk').map((item) => read.item('disk', item, parseDisk)),
    vifs: read.list('vif').map((item) => read.item('vif', item, parseVif)),
  };
}

/** Whether the text is a UUID as `xl` prints it. */
function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}

interface ConfigReader {
  text(key: string): string | undefined;
  number(key: string): number | undefined;
  list(key: string): readonly ConfigValue[];
  item<T extends object>(key: string, item: ConfigValue, parse: (spec: string) => T | string): T;
  fail(key: string, message: string): never;
}

function readerOf({ file, settings }: ParsedConfig): ConfigReader {
  const failAt = (line: number | undefined, message: string): never => {
    throw new UsageError(line === undefined ? `${file}: ${message}` : `${file}:${line}: ${message}`);
  };
  return {
    fail: (key, message) => failAt(settings.get(key)?.line, message),
    text: (key) => {
      const value = settings.get(key);
      if (value === undefined) return undefined;
      return value.kind === 'list'
        ? failAt(value.line, `expected one value for ${key}, found a list`)
        : value.text;
    },
    number: (key) => {
      const value = settings.get(key);
      if (value === undefined) return undefined;
      if (value.kind === 'list') return failAt(value.line, `expected a number for ${key}, found a list`);
      const number =
        value.kind === 'number' ? value.value : Number(/^[1-9]\d*$/.test(value.text) ? value.text : NaN);
      if (Number.isSafeInteger(number) && number > 0) return number;
      return failAt(value.line, `expected a whole number above 0 for ${key}, found ${value.text}`);
    },
    list: (key) => {
      const value = settings.get(key);
      if (value === undefined) return [];
      return value.kind === 'list'
        ? value.items
        : failAt(value.line, `expected a list for ${key}: ${key} = [ … ]`);
    },
    item: (key, item, parse) => {
      if (item.kind === 'list') return failAt(item.line, `expected strings in the list ${key}, found a list`);
      const parsed = parse(item.text);
      return typeof parsed === 'string' ? failAt(item.line, parsed) : parsed;
    },
  };
}

/** The root device. xl ignores `root` and `extra` if `cmdline` is set (xl.cfg(5)). */
function rootOf(read: ConfigReader): string | undefined {
  const line = read.text('cmdline') ?? `root=${read.text('root') ?? ''} ${read.text('extra') ?? ''}`;
  // Of several, the kernel uses the last one.
  return [...line.matchAll(/(?<!\S)root=(?<device>\S+)/g)].at(-1)?.groups?.device;
}

function typeOf(read: ConfigReader): GuestConfig['type'] {
  const type = read.text('type') ?? (read.text('builder') === 'hvm' ? 'hvm' : 'pv');
  if (type === 'pv' || type === 'pvh' || type === 'hvm') return type;
  return read.fail('type', `expected type "pv", "pvh" or "hvm", found "${type}"`);
}
