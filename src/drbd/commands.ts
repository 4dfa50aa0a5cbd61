import type { Answer, ReadCommand } from '../command/index.ts';
import { ParseError, type Reason } from '../core/errors.ts';
import { type Configured, parseConfig } from './config.ts';
import { parseEvents } from './events.ts';
import type { ResourceState } from './state.ts';

/**
 * Every resource in the kernel, with its volumes and connections. The command loads the module if it is not
 * loaded.
 */
export function drbdEvents(): ReadCommand<readonly ResourceState[]> {
  return {
    tool: 'drbdsetup',
    argv: ['events2', '--now', '--statistics'],
    access: 'read',
    parse: ({ stdout }) => parseEvents(stdout),
    classify: classifyDrbd,
  };
}

/**
 * Every resource in the configuration, also of other hosts; with `file`, which need not be installed, only
 * its resources. Uses a dry run, because otherwise drbdadm reads nothing while this host lacks the address of
 * a resource, for example when a link is down (verify_ips of drbdadm_main.c, 9.22).
 */
export function drbdConfig(file?: string): ReadCommand<readonly Configured[]> {
  return {
    tool: 'drbdadm',
    argv: [...(file === undefined ? [] : ['-c', file]), '--dry-run', 'dump-xml'],
    access: 'read',
    parse: ({ stdout }) => parseConfig(stdout),
    classify: classifyDrbd,
    shownOf: withoutDrbdSecrets,
  };
}

/** The version of drbd-utils. */
export function drbdVersion(): ReadCommand<string> {
  return {
    tool: 'drbdadm',
    argv: ['--version'],
    access: 'read',
    parse: ({ stdout }) => {
      const version = /^DRBDADM_VERSION=(?<version>\d+(?:\.\d+)+\S*)$/m.exec(stdout)?.groups?.version;
      if (version === undefined) throw new ParseError('drbdadm --version has no line DRBDADM_VERSION');
      return version;
    },
    classify: classifyDrbd,
  };
}

/**
 * Checks the configuration together with another file, which is read from standard input: drbdadm
 * refuses a name, a minor or an address that two resources have, as well as invalid text. Nothing
 * is written (drbdadm(8), --config-to-test).
 */
export function drbdConfigWith(text: string): ReadCommand<readonly Configured[]> {
  return { ...drbdConfig(), argv: ['--config-to-test', '/dev/stdin', 'dump-xml'], stdin: text };
}

/** The words of a configuration that may appear in an error of drbdadm: the keywords that it expects. */
const keyword =
  /^'(?:node-id|disk|device|address|meta-disk|volume|on|net|options|connection|floating|\}|\{|;)'$/;

/**
 * The stderr of drbdadm without values of the configuration. drbdadm quotes the word that it could not parse,
 * and the whole command that failed, with `--shared-secret=…` (drbdadm_parser.c, drbdadm_main.c of drbd-utils
 * 9.22). In a value it writes a backslash before a space (shell_escape of shared_tool.c).
 */
export function withoutDrbdSecrets(stderr: string): string {
  return stderr
    .replaceAll(/(?<=but got\s+)'(?:[^\n]*'(?= \(|\n|$)|[^\n]*)/g, (word) =>
      keyword.test(word) ? word : 'something else',
    )
    .replaceAll(/Command '(?<words>\S+ \S+)[^\n]*'(?= (?:terminated|did not))/g, "Command '$<words> …'")
    .replaceAll(/--(?<option>shared-secret|cram-hmac-alg)[= ](?:\\[^\n]|\S)+/g, '--$<option>=…')
    .replaceAll(/shared-secret\s+[^\n]*/g, 'shared-secret …');
}

/**
 * Why drbdadm or drbdsetup failed. Their exit codes are not enough: 10 is any refusal of the kernel
 * (shared_main.h of 9.22).
 */
export function classifyDrbd({ stdout, stderr }: Answer): Reason {
  const said = stderr + stdout;
  if (/not defined in your config|unknown minor|unknown resource|No such resource/i.test(said))
    return 'not-found';
  if (/held open by someone|can not open backing device|Device or resource busy/i.test(said)) return 'busy';
  if (/is configured already|has a disk attached|already (?:exists|in use|attached)/i.test(said))
    return 'exists';
  if (/Permission denied|Operation not permitted/.test(said)) return 'denied';
  return 'unknown';
}
