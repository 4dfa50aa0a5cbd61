import { type Answer, type Command, nothing, type ReadCommand, type Tool } from '../command/index.ts';
import { ParseError, type Reason } from '../core/errors.ts';

/** Reads the version of lvm2: `2.03.16`. */
export function lvmVersion(): ReadCommand<string> {
  return {
    tool: 'lvm',
    argv: ['version'],
    access: 'read',
    parse: ({ stdout }) => {
      const version = /^ *LVM version: +(?<version>\d+(?:\.\d+)+)/m.exec(stdout)?.groups?.version;
      if (version === undefined) throw new ParseError('its output has no version');
      return version;
    },
    classify: classifyLvm,
  };
}

/**
 * Reads the usage in percent at which lvm extends thin pools automatically (dmeventd); 100: never.
 */
export function autoextendThreshold(): ReadCommand<number> {
  return {
    tool: 'lvm',
    argv: ['config', '--typeconfig', 'full', 'activation/thin_pool_autoextend_threshold'],
    access: 'read',
    parse: ({ stdout }) => {
      const percent = /^thin_pool_autoextend_threshold=(?<percent>\d{1,3})\n$/.exec(stdout)?.groups?.percent;
      if (percent === undefined) throw new ParseError('lvmconfig printed no thin_pool_autoextend_threshold');
      return Number(percent);
    },
    classify: classifyLvm,
  };
}

/** Whether a udevd is running that answers lvm. Without one lvm would wait forever. */
export interface Udev {
  readonly udev: 'running' | 'absent';
}

/**
 * Finds why an lvm program failed. Exit code 5 means nearly everything, so the text in the C locale
 * decides (fixtures in test/fixtures/lvm).
 */
export function classifyLvm(answer: Answer): Reason {
  const stderr = answer.stderr + loggedIn(answer.stdout);
  // The error comes with a page of help, which can contain every other word below.
  if (/Unrecognised field/.test(stderr)) return 'unknown';
  if (/not found|Failed to find|No device found|[Cc]annot process volume group/.test(stderr))
    return 'not-found';
  if (/already exists|already in use/i.test(stderr)) return 'exists';
  if (/insufficient (?:free|suitable)|Insufficient|not enough free/i.test(stderr)) return 'no-space';
  if (
    /in use|is used by|already in volume group|exclusively|Device or resource busy|Can't get lock/i.test(
      stderr,
    )
  )
    return 'busy';
  if (/Permission denied|need to be root|must be root/i.test(stderr)) return 'denied';
  return 'unknown';
}

// With a JSON report, 2.03.31 writes errors only into the JSON, not to stderr
// (lvs-missing-vg@2.03.31.json).
function loggedIn(stdout: string): string {
  return [...stdout.matchAll(/"log_message":"(?:[^"\\]|\\.)*"/g)].map(([message]) => `\n${message}`).join('');
}

type LvmTool = Extract<Tool, `${'lv' | 'pv' | 'vg'}${string}`>;

/** Runs an lvm program that changes something. Does not wait for udevd if none is running. */
export function change(
  tool: LvmTool,
  argv: readonly string[],
  { udev }: Udev,
  settings?: string,
): Command<void, 'change'> {
  const all = [
    ...(udev === 'running' ? [] : ['activation{udev_sync=0 udev_rules=0}']),
    ...(settings === undefined ? [] : [settings]),
  ];
  const config = all.length === 0 ? [] : ['--config', all.join(' ')];
  return { tool, argv: [...config, ...argv], access: 'change', parse: nothing, classify: classifyLvm };
}
