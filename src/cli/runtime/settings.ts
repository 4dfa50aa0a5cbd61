import { UsageError } from '../../core/errors.ts';

const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** What the options that every verb takes come to. */
export interface Settings {
  /** `json`: one JSON value on stdout in place of tables. */
  readonly answer: 'text' | 'json';
  /** `plan`: show what would be done, and do nothing. */
  readonly mode: 'act' | 'plan';
  /** `given`: do not ask before something is destroyed. */
  readonly consent: 'given' | 'ask';
  /** How long to try again for objects that another bofh has; 0: it is refused at once. */
  readonly waitMs: number;
  readonly site: string | undefined;
  /** The host that is asked, over ssh; undefined: this one. */
  readonly host: string | undefined;
  readonly stateDir: string;
  /** `default`: neither an option nor the environment named the state directory. */
  readonly stateDirBy: 'named' | 'default';
  readonly logLevel: LogLevel;
}

/** Where journals are unless something else is said. */
export const defaultStateDir = '/var/lib/bofh';

/** The options as commander gives them; one that was not said is not there. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly wait?: string;
  readonly site?: string;
  readonly host?: string;
  readonly stateDir?: string;
  readonly logLevel?: string;
}

/** The settings of a command; BOFH_SITE and BOFH_STATE_DIR stand in for `--site` and `--state-dir`. Throws UsageError. */
export function settingsOf(
  options: GlobalOptions,
  env: Readonly<Record<string, string | undefined>>,
): Settings {
  const namedDir = options.stateDir ?? named(env.BOFH_STATE_DIR);
  const stateDir = namedDir ?? defaultStateDir;
  if (!stateDir.startsWith('/'))
    throw new UsageError(`the state directory must be an absolute path, not "${stateDir}"`);
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
  };
}

const factors: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Milliseconds of a duration as a person writes it: `500ms`, `60s`, `5m`, `1h`; a bare number is seconds. Throws UsageError;
 * `name` is the option for its message.
 */
export function parseDuration(text: string, name = 'duration'): number {
  const groups = /^(?<number>\d+(?:\.\d+)?)(?<unit>ms|s|m|h)?$/.exec(text.trim())?.groups;
  const ms = Number(groups?.number) * (factors[groups?.unit ?? 's'] ?? Number.NaN);
  if (groups === undefined || !Number.isFinite(ms))
    throw new UsageError(`${name} ${text}: must be a duration, for example 30s, 5m or 1h`);
  // Longer than this a timer of Node fires at once (setTimeout takes 31 bits).
  if (ms > 2 ** 31 - 1) throw new UsageError(`${name} ${text}: must be at most 24 days`);
  return Math.round(ms);
}

function parseLogLevel(text: string): LogLevel {
  const level = logLevels.find((each) => each === text);
  if (level === undefined)
    throw new UsageError(`"${text}" is no log level; it is one of ${logLevels.join(', ')}`);
  return level;
}

/** A variable that is set to nothing says nothing. */
function named(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
