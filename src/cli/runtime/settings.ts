import { usualStateDir } from '../../host/own-places.ts';
import { UsageError } from '../../core/errors.ts';

const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export const colors = ['auto', 'always', 'never'] as const;
export type ColorWhen = (typeof colors)[number];

/** The values of the global options. */
export interface Settings {
  /** `json`: one JSON value on stdout instead of tables. */
  readonly answer: 'text' | 'json';
  /** `plan`: a dry run. */
  readonly mode: 'act' | 'plan';
  /** `given`: no confirmation before something is destroyed. */
  readonly consent: 'given' | 'ask';
  /** Time limit of the wait for objects locked by another bofh, in milliseconds; 0: refuse at once. */
  readonly waitMs: number;
  readonly site: string | undefined;
  /** The host to reach over ssh; undefined: this one. */
  readonly host: string | undefined;
  readonly stateDir: string;
  /** `default`: neither an option nor the environment sets the state directory. */
  readonly stateDirBy: 'named' | 'default';
  readonly logLevel: LogLevel;
  /** The only columns of a table to print, for scripts. */
  readonly format: readonly string[] | undefined;
  /** The file that gets the events of the sequences. */
  readonly logFile: string | undefined;
  /** A change that succeeds prints nothing. */
  readonly quiet: boolean;
  readonly color: ColorWhen;
  /** The pager for long answers on a terminal; undefined: none. */
  readonly pager: string | undefined;
}

/** The options as commander returns them; omitted ones are missing. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly wait?: string;
  readonly site?: string;
  readonly host?: string;
  readonly stateDir?: string;
  readonly logLevel?: string;
  readonly logFile?: string;
  readonly format?: string;
  readonly quiet?: boolean;
  readonly color?: string;
  readonly pager?: boolean;
}

/**
 * Returns the settings of a command. Without `--site` and `--state-dir`, BOFH_SITE and
 * BOFH_STATE_DIR apply. Throws UsageError.
 */
export function settingsOf(
  options: GlobalOptions,
  env: Readonly<Record<string, string | undefined>>,
): Settings {
  const namedDir = options.stateDir ?? named(env.BOFH_STATE_DIR);
  const stateDir = namedDir ?? usualStateDir(env);
  if (!stateDir.startsWith('/'))
    throw new UsageError(`the state directory must be an absolute path, not "${stateDir}"`);
  refuseEmpty({ '--host': options.host, '--site': options.site, '--log-file': options.logFile });
  if (options.format !== undefined && options.json === true)
    throw new UsageError('--format and --json exclude each other: JSON has every column');
  return {
    answer: options.json === true ? 'json' : 'text',
    mode: options.dryRun === true ? 'plan' : 'act',
    consent: options.yes === true ? 'given' : 'ask',
    waitMs: options.wait === undefined ? 0 : parseDuration(options.wait, '--wait'),
    site: options.site ?? named(env.BOFH_SITE),
    host: options.host,
    stateDir,
    stateDirBy: namedDir === undefined ? 'default' : 'named',
    logLevel: parseLogLevel(options.logLevel ?? 'warn'),
    format: options.format?.split(',').map((name) => name.trim()),
    logFile: options.logFile,
    quiet: options.quiet === true,
    color: parseColor(options.color ?? 'auto'),
    pager: options.pager === false ? undefined : pagerIn(env),
  };
}

/**
 * Throws UsageError for an empty value: an unset variable of a script must not choose another host
 * or file.
 */
function refuseEmpty(values: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(values))
    if (value === '')
      throw new UsageError(`the value of ${name} is empty`, {
        remedy: `leave ${name} out, or give it a value`,
      });
}

const factors: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Returns a duration in milliseconds: `500ms`, `60s`, `5m`, `1h`; a bare number is seconds. Throws
 * UsageError; `name` is the option in its message.
 */
export function parseDuration(text: string, name = 'duration'): number {
  const groups = /^(?<number>\d+(?:\.\d+)?)(?<unit>ms|s|m|h)?$/.exec(text.trim())?.groups;
  const ms = Number(groups?.number) * (factors[groups?.unit ?? 's'] ?? Number.NaN);
  if (groups === undefined || !Number.isFinite(ms))
    throw new UsageError(`${name} ${text}: must be a duration, for example 30s, 5m or 1h`);
  // A longer timer of Node.js fires at once (setTimeout takes 31 bits).
  if (ms > 2 ** 31 - 1) throw new UsageError(`${name} ${text}: must be at most 24 days`);
  return Math.round(ms);
}

/** As `parseDuration`, and more than 0. */
export function parseWait(text: string, name: string): number {
  const ms = parseDuration(text, name);
  if (ms === 0) throw new UsageError(`${name} ${text}: must be more than 0`);
  return ms;
}

function parseLogLevel(text: string): LogLevel {
  const level = logLevels.find((each) => each === text);
  if (level === undefined)
    throw new UsageError(`"${text}" is not a log level; it is one of ${logLevels.join(', ')}`);
  return level;
}

function parseColor(text: string): ColorWhen {
  const color = colors.find((each) => each === text);
  if (color === undefined) throw new UsageError(`--color ${text}: must be auto, always or never`);
  return color;
}

/** The pager as git chooses it: the first variable that is set, empty and `cat` mean none. */
function pagerIn(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const pager = env.BOFH_PAGER ?? env.PAGER ?? 'less';
  return pager.trim() === '' || pager.trim() === 'cat' ? undefined : pager;
}

/**
 * Returns the settings for the output before the command line is parsed: help and usage errors. Invalid
 * values are reported later.
 */
export function earlySettings(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Pick<Settings, 'color' | 'pager'> {
  const at = args.findLastIndex((word) => /^--color(?:=|$)/.test(word));
  const typed = args[at] === '--color' ? args[at + 1] : args[at]?.slice('--color='.length);
  return {
    color: colors.find((each) => each === typed) ?? 'auto',
    pager: args.includes('--no-pager') ? undefined : pagerIn(env),
  };
}

/** An empty variable counts as unset. */
function named(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
