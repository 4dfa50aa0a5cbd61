import * as z from 'zod/mini';
import { posix } from 'node:path';
import type { ReadCommand } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { blkidProbe, classifyDevice, toSignature, valuesIn } from './commands.ts';
import type { Signature } from './schema.ts';

/**
 * `blkid -p` of several devices: returns what it recognised, by device. Undefined: nothing, as in
 * `blkidProbe`. blkid 2.38 stops at the first device that it cannot identify, so later devices are
 * missing.
 */
export function blkidProbes(
  devices: readonly string[],
): ReadCommand<ReadonlyMap<string, Signature | undefined>> {
  return {
    ...blkidProbe(''),
    argv: ['-p', '-o', 'export', ...devices],
    parse: ({ exitCode, stdout, stderr }) => {
      if (stderr !== '' || (stdout !== '' && !stdout.endsWith('\n')))
        throw new ParseError(`blkid: ${stderr.trim() || 'its output is cut off'}`);
      const found = new Map<string, Signature | undefined>();
      for (const record of stdout === '' ? [] : stdout.slice(0, -1).split('\n\n')) {
        const values = valuesIn(record);
        const device = values.get('DEVNAME') ?? '';
        if (!devices.includes(device) || found.has(device))
          throw new ParseError(`blkid was not asked about ${JSON.stringify(device)}`);
        found.set(device, toSignature(values));
      }
      const last = devices.findLastIndex((device) => found.has(device));
      const end = devices[last + 1];
      if (exitCode === 2 && end !== undefined) found.set(end, undefined);
      return found;
    },
  };
}

const signedSchema = z.object({ signatures: z.array(z.object({ device: z.string() })) });

/**
 * Returns those of several devices that have no signature that blkid knows. wipefs searches like
 * blkid, and prints the other devices by the last part of their path. Like blkid it finds nothing
 * on an unreadable device.
 */
export function withoutSignature(devices: readonly string[]): ReadCommand<readonly string[]> {
  return {
    tool: 'wipefs',
    argv: ['--json', '--output', 'DEVICE', ...devices],
    access: 'read',
    parse: ({ stdout }) => {
      const { signatures } = signedSchema.parse(JSON.parse(stdout));
      const signed = new Set(signatures.map(({ device }) => device));
      const names = devices.map((device) => posix.basename(device));
      if (new Set(names).size < names.length || [...signed].some((name) => !names.includes(name)))
        throw new ParseError('wipefs was asked about other devices');
      return devices.filter((device) => !signed.has(posix.basename(device)));
    },
    classify: classifyDevice,
  };
}

/** Bytes at an offset of a device. */
export interface Mark {
  readonly at: number;
  /** Hexadecimal digits. */
  readonly hex: string;
}

/**
 * Prints a line for each device: the index of the first mark that it has, `-` for none, `?` if it
 * cannot be read.
 */
const script = `use strict;
my @marks;
while (@ARGV and $ARGV[0] =~ /^(\\d+):([0-9a-f]+)$/) { push @marks, [$1, pack 'H*', $2]; shift @ARGV }
for my $path (@ARGV) {
  my $said = '?';
  if (open my $file, '<:raw', $path) {
    $said = '-';
    for my $n (0 .. $#marks) {
      my ($at, $bytes) = @{$marks[$n]};
      my $read = '';
      my $there = sysseek($file, $at, 0) && defined sysread($file, $read, length $bytes);
      if (!$there or $read eq $bytes) { $said = $there ? $n : '?'; last }
    }
  }
  print "$said\\n";
}
`;

/**
 * Returns the index of the first of these marks that each device has; -1: none. Unreadable devices
 * are missing. One perl (Essential on Debian) reads a thousand devices in the time of a few
 * programs.
 */
export function marksOn(
  devices: readonly string[],
  marks: readonly Mark[],
): ReadCommand<ReadonlyMap<string, number>> {
  const words = marks.map(({ at, hex }) => `${String(at)}:${hex}`);
  return {
    tool: 'perl',
    argv: ['-e', script, ...words, ...devices],
    access: 'read',
    parse: ({ stdout }) => {
      const lines = stdout.split('\n');
      if (lines.length !== devices.length + 1 || lines.at(-1) !== '')
        throw new ParseError(`${String(lines.length - 1)} lines for ${String(devices.length)} devices`);
      return new Map(
        devices.flatMap((device, at) => {
          const line = lines[at] ?? '';
          if (!/^(?:\d+|[-?])$/.test(line)) throw new ParseError(`cannot read the line "${line}"`);
          return line === '?' ? [] : [[device, line === '-' ? -1 : Number(line)] as const];
        }),
      );
    },
    classify: classifyDevice,
  };
}
