import * as z from 'zod/mini';
import { type Command, nothing, type ReadCommand, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';

/** The full name of a unit that can be started: `nginx.service`, `backup@home.timer`. */
export const unitName = z
  .string()
  .check(
    z.regex(
      /^(?!.*@\.)[A-Za-z0-9:_\\][A-Za-z0-9:_.\\@-]*\.(?:service|socket|timer|path|target)$/,
      'must be the full name of a service, socket, timer, path or target: nginx.service',
    ),
    z.maxLength(255),
  );

const activeStates = [
  ...(['active', 'reloading', 'inactive', 'failed', 'activating', 'deactivating'] as const),
  ...(['maintenance', 'refreshing'] as const),
] as const;

const yesNo = z.enum(['yes', 'no']);

const shown = z.strictObject({
  Id: z.string().check(z.minLength(1)),
  LoadState: z.enum(['stub', 'loaded', 'not-found', 'bad-setting', 'error', 'merged', 'masked']),
  ActiveState: z.enum(activeStates),
  UnitFileState: z.enum([
    ...(['', 'enabled', 'enabled-runtime', 'linked', 'linked-runtime', 'alias', 'masked'] as const),
    ...(['masked-runtime', 'static', 'indirect', 'disabled', 'generated', 'transient', 'bad'] as const),
  ]),
  FragmentPath: z.string(),
  DropInPaths: z.string(),
  /**
   * 32 hexadecimal digits for the current run; empty if the unit is inactive or was never started.
   */
  InvocationID: z.string().check(z.regex(/^(?:[0-9a-f]{32})?$/)),
  /** Microseconds since the boot; a reload also changes this time. */
  StateChangeTimestampMonotonic: z.string().check(z.regex(/^\d+$/)),
  TriggeredBy: z.string(),
  CanStart: yesNo,
  CanStop: yesNo,
  CanReload: yesNo,
  /** Only services have these two. */
  Type: z.exactOptional(z.string()),
  RemainAfterExit: z.exactOptional(yesNo),
});

/** Properties of a unit, as systemd reports them. */
export type Unit = z.infer<typeof shown>;

export const unitProperties = Object.keys(shown.shape).join(',');

/** Reads the properties of a unit. One that does not exist has the `LoadState` not-found. */
export function showUnit(unit: string): ReadCommand<Unit> {
  return {
    tool: 'systemctl',
    argv: ['show', `--property=${unitProperties}`, '--', unit],
    access: 'read',
    parse: ({ stdout }) => {
      const all: Record<string, string> = {};
      for (const line of stdout.split('\n').slice(0, -1)) {
        const { key, value = '' } = /^(?<key>\w+)=(?<value>.*)$/.exec(line)?.groups ?? {};
        if (key === undefined || Object.hasOwn(all, key)) throw new Error(`a line is wrong: ${line}`);
        all[key] = value;
      }
      return shown.parse(all);
    },
    classify: reasonOf,
  };
}

/**
 * Properties with the units that systemd stops when it stops a unit (unit-dependency-atom.c).
 */
export const stopProperties = 'RequiredBy,RequisiteOf,BoundBy,ConsistsOf,PropagatesStopTo';

/** Lists the units that systemd stops when it stops this one: they need it, or are a part of it. */
export function stoppedWith(unit: string): ReadCommand<readonly string[]> {
  return unitsIn(stopProperties, unit);
}

/**
 * Properties with the units that systemd stops when it starts a unit (systemd.unit(5),
 * `Conflicts=`).
 */
export const conflictProperties = 'Conflicts,ConflictedBy';

/** Lists the units that systemd stops when it starts this one. */
export function stoppedBy(unit: string): ReadCommand<readonly string[]> {
  return unitsIn(conflictProperties, unit);
}

function unitsIn(properties: string, unit: string): ReadCommand<readonly string[]> {
  return {
    tool: 'systemctl',
    argv: ['show', `--property=${properties}`, '--', unit],
    access: 'read',
    parse: ({ stdout }) => {
      const lines = stdout.split('\n').slice(0, -1);
      if (lines.length === 0) throw new Error('it shows no property');
      return lines.flatMap((line) => {
        const { key = '', names = '' } = /^(?<key>\w+)=(?<names>.*)$/.exec(line)?.groups ?? {};
        if (!properties.split(',').includes(key)) throw new Error(`a line is wrong: ${line}`);
        return names.split(' ').filter((name) => name !== '');
      });
    },
    classify: reasonOf,
  };
}

/** Whether systemd is not running, as in the root of a guest that is off. */
export function isOffline(): ReadCommand<boolean> {
  return {
    tool: 'systemctl',
    argv: ['is-system-running'],
    access: 'read',
    accepts: [0, 1],
    parse: ({ stdout }) => z.enum(systemStates).parse(stdout.trim()) === 'offline',
  };
}

// States of the system, from systemctl(1).
const systemStates = [
  ...(['initializing', 'starting', 'running', 'degraded', 'maintenance', 'stopping'] as const),
  ...(['offline', 'unknown'] as const),
] as const;

/** Runs a verb of systemctl that changes units or, without a unit, the manager: `daemon-reload`. */
export function systemctl(
  verb: 'start' | 'stop' | 'restart' | 'reload' | 'reset-failed' | 'daemon-reload',
  ...units: readonly string[]
): Command<void, 'change'> {
  const argv = units.length === 0 ? [verb] : [verb, '--', ...units];
  return { tool: 'systemctl', argv, access: 'change', parse: nothing, classify: reasonOf };
}

/** Starts, stops or restarts units without waiting for the end of the job. */
export function later(
  verb: 'start' | 'stop' | 'restart',
  ...units: readonly string[]
): Command<void, 'change'> {
  const argv = ['--no-block', verb, '--', ...units];
  return { tool: 'systemctl', argv, access: 'change', parse: nothing, classify: reasonOf };
}

/** Creates the links of the [Install] section. With a path, systemctl calls no SysV script. */
export function enable(unit: string): Command<void, 'change'> {
  return { ...systemctl('start'), argv: ['enable', '--', unit] };
}

function reasonOf({ stderr }: { readonly stderr: string }) {
  if (/not found|not loaded|does not exist|could not be found/.test(stderr)) return 'not-found';
  return /Access denied|Permission denied|authentication required/.test(stderr) ? 'denied' : 'unknown';
}

/** sleep(1). */
export function sleep(seconds: number): ReadCommand<void> {
  return { tool: 'sleep', argv: [String(seconds)], access: 'read', parse: nothing };
}

/** Whether a unit is running, or is about to. */
export function isUp({ ActiveState: state }: Unit): boolean {
  return ['active', 'reloading', 'refreshing', 'activating'].includes(state);
}

/**
 * Lists the running units that systemd stops together with a unit. Leaves out targets, because
 * their start would start everything that they want.
 */
export async function runningWith(host: ReadHost, unit: string): Promise<string[]> {
  const all = [unit];
  for (const each of all)
    for (const other of await host.run(stoppedWith(each))) if (!all.includes(other)) all.push(other);
  return runningAmong(host, all.slice(1));
}

/** Lists the running units that systemd stops when it starts a unit, with those that they stop. */
export async function runningAgainst(host: ReadHost, unit: string): Promise<string[]> {
  const all: string[] = [];
  for (const each of await runningAmong(host, await host.run(stoppedBy(unit))))
    all.push(each, ...(await runningWith(host, each)));
  return [...new Set(all)].filter((each) => each !== unit);
}

async function runningAmong(host: ReadHost, units: readonly string[]): Promise<string[]> {
  const running: string[] = [];
  for (const each of units)
    if (/\.(?:service|socket|timer|path|mount|automount|swap)$/.test(each))
      if (isUp(await host.run(showUnit(each)))) running.push(each);
  return running;
}

/** Returns those of the units that do not run, and that systemd can start. */
export async function downAmong(host: ReadHost, units: readonly string[]): Promise<Unit[]> {
  const down: Unit[] = [];
  for (const each of units) {
    const now = await host.run(showUnit(each));
    if (!isUp(now) && now.LoadState === 'loaded') down.push(now);
  }
  return down;
}

/** Returns a unit that systemd has loaded. RefusedError for any other unit. */
export async function loadedUnit(host: ReadHost, unit: string): Promise<Unit> {
  const found = await host.run(showUnit(unit));
  const { Id: id, LoadState: state, UnitFileState: file } = found;
  if (state === 'not-found')
    throw new RefusedError(`there is no unit ${unit}`, {
      code: 'not-found',
      remedy: `install the package that contains it, or describe its file /etc/systemd/system/${unit}`,
    });
  if (state === 'masked')
    throw new RefusedError(`${unit} is masked: nothing can start or enable it`, {
      remedy: `systemctl unmask ${file === 'masked-runtime' ? '--runtime ' : ''}${unit}`,
    });
  if (state !== 'loaded')
    throw new RefusedError(`systemd cannot load ${unit}: its LoadState is ${state}`, {
      remedy: `see why: systemctl status ${unit}`,
    });
  if (id !== unit) throw new RefusedError(`${unit} is an alias of ${id}`, { remedy: `use the name ${id}` });
  return found;
}

/** A unit that was started, and must stay up. */
export interface Started {
  readonly unit: string;
  /**
   * Invocation of the run: another one means that the unit was restarted. Missing: the present
   * invocation.
   */
  readonly invocation?: string;
  /** How long the unit must stay up, in seconds. */
  readonly seconds: number;
  /** How many of these seconds have passed already (default: 0). */
  readonly over?: number;
}

/**
 * Waits until a started unit has stayed up for `seconds`. RefusedError if it ends or restarts
 * meanwhile, as a oneshot does. The start job has ended, so `activating` means that the service
 * has ended too, and systemd starts it again after RestartSec=.
 */
export async function expectUp(
  host: ReadHost,
  { unit, invocation, seconds, over = 0 }: Started,
): Promise<Unit> {
  const first = await host.run(showUnit(unit));
  const run = invocation ?? first.InvocationID;
  for (let waited = over, now = first; ; waited += 0.5, now = await host.run(showUnit(unit))) {
    const isSame = now.InvocationID === run;
    const isOver = !isUp(now) || (isSame && now.ActiveState === 'activating');
    if (isOver || !isSame)
      throw new RefusedError(
        waited === 0
          ? `${unit} does not run: it is ${now.ActiveState}`
          : !isOver
            ? `${unit} ended and was started again within ${String(Math.ceil(waited * 2) / 2)} s`
            : `${unit} did not stay up for ${String(seconds)} s: it is ${now.ActiveState}`,
        { remedy: `see why: journalctl --unit=${unit} --lines=50` },
      );
    if (waited >= seconds) return now;
    await host.run(sleep(0.5));
  }
}

/** Whether a service ends when its work is done, so that it never stays up. */
export function isOneshot({ Type: type, RemainAfterExit: stays }: Unit): boolean {
  return type === 'oneshot' && stays !== 'yes';
}
