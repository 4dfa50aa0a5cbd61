import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { absolutePath } from '../file/path.ts';
import { noteOf, removeNote, writeNote } from '../file/notes.ts';
import {
  downAmong,
  expectUp,
  isOneshot,
  isUp,
  later,
  runningWith,
  showUnit,
  systemctl,
  type Unit,
  unitName,
} from './unit.ts';
import { present } from '../core/present.ts';

/** `daemon-reload`: systemd reads its unit files again. The other two act on one unit. */
const by = z.enum(['restart', 'reload', 'daemon-reload']);
const unit = z.exactOptional(unitName);

const undo = z.strictObject({
  unit,
  by,
  note: absolutePath,
  /** InvocationID of the unit when the step was prepared. Missing: the unit was not running. */
  invocation: z.exactOptional(z.string()),
  /** The running units that systemd restarts together with this one. */
  stops: z.exactOptional(z.array(z.string())),
  boot: z.string(),
  files: z.array(absolutePath),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.service.beforeChange`: put this step before the steps that change the configuration of a
 * service. It changes nothing itself, but its undo runs after theirs: the service then reads the
 * old configuration again, if it ran and may have read the new one.
 */
export const beforeChange = operation({
  kind: 'service.settle.open',
  version: 1,
  args: z.strictObject({
    /** Full name of the unit: `nginx.service`. Missing with `daemon-reload`. */
    unit,
    /** How the service reads its configuration again: `restart`, `reload` or `daemon-reload`. */
    by,
    /** The files that later steps change. */
    files: z.array(absolutePath),
  }),
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'existence',
  keepsContent: true,
  prepare: async ({ args, mark, host }): Promise<Undo> => {
    const found = await subject(host, args);
    const { boot } = await host.facts();
    const known = { ...args, note: noteOf(mark), boot };
    if (found === undefined || !isUp(found)) return known;
    const stops = await runningWith(host, found.Id);
    return { ...known, invocation: found.InvocationID, ...(stops.length === 0 ? {} : { stops }) };
  },
  claims: ({ undo: of }) => ({
    changes: [...keyOf(of), ...(of.stops ?? []).map((each) => `unit:${each}`)],
    needs: of.files.map((path) => `file:${path}`),
  }),
  run: async ({ undo: { note }, host }) => {
    await writeNote(host, note);
    return null;
  },
  value: () => undefined,
  look: async ({ undo: of, host }) => {
    // A reboot removed the note, and started the service before the files were restored.
    const isHere = (await isBooted(host, of))
      ? (await host.stat(undoneNote(of))) === undefined
      : (await host.stat(of.note)) !== undefined;
    return { state: isHere ? 'ours' : 'gone' };
  },
  revert: async ({ undo: of, host }) => {
    const booted = await isBooted(host, of);
    if (of.unit === undefined) await host.run(systemctl('daemon-reload'));
    else {
      const now = await host.run(showUnit(of.unit));
      const isSame = of.invocation !== undefined && now.InvocationID === of.invocation;
      const isFailed =
        of.invocation !== undefined && now.LoadState === 'loaded' && now.ActiveState === 'failed';
      const isRunning = isUp(now) && now.ActiveState !== 'activating';
      if (!booted && isUp(now) && isSame) {
        if (of.by === 'reload') await host.run(systemctl('reload', of.unit));
      } else if (
        (isUp(now) && now.LoadState === 'loaded') ||
        (booted ? isFailed : of.invocation !== undefined)
      ) {
        // A start job that failed has stopped them too.
        const down = isRunning ? [] : await downAmong(host, of.stops ?? []);
        // systemd refuses to start a unit that was started too often.
        for (const { Id: each, ActiveState: state } of [now, ...down])
          if (state !== 'inactive') await host.run(systemctl('reset-failed', each));
        const units = [of.unit, ...down.map(({ Id: each }) => each)];
        // After a boot it does not wait for the job, because the job may wait for recovery.
        await host.run(booted ? later('restart', ...units) : systemctl('restart', ...units));
      }
    }
    if (booted) await writeNote(host, undoneNote(of));
    else await removeNote(host, of.note);
  },
  describe: ({ undo: of }) => ({
    what: `${of.unit ?? 'systemd'}, which must read its old configuration again`,
    look: [['systemctl', 'status', ...(of.unit === undefined ? [] : [of.unit])]],
    clear: [
      of.unit === undefined
        ? ['systemctl', 'daemon-reload']
        : ['systemctl', of.invocation === undefined ? 'try-restart' : 'restart', of.unit],
      ...(of.stops === undefined ? [] : [['systemctl', 'start', ...of.stops]]),
      ['rm', '--force', of.note],
    ],
  }),
});

/**
 * `tx.service.reload`: restarts or reloads a running service and checks that it stays up, or lets
 * systemd read its unit files again. `tx.service.beforeChange`, before the steps that changed the
 * configuration, undoes it.
 */
export const reload = operation({
  kind: 'service.settle.close',
  version: 1,
  args: z.strictObject({
    /** Full name of the unit: `nginx.service`. Missing with `daemon-reload`. */
    unit,
    /** How the service reads its configuration again: `restart`, `reload` or `daemon-reload`. */
    by,
    /** The unit must stay up for this many seconds (default: 5). */
    seconds: z.exactOptional(z.int().check(z.minimum(0), z.maximum(600))),
  }),
  undo: z.strictObject({ unit, by, note: absolutePath }),
  result: z.null(),
  lives: 'boot',
  restores: 'existence',
  keepsContent: true,
  prepare: async ({ args: { unit: name, by: how }, mark, host }) => {
    const found = await subject(host, { ...present({ unit: name }), by: how });
    if (found !== undefined && (!isUp(found) || found.ActiveState === 'activating') && !isOneshot(found))
      throw new RefusedError(`${found.Id} does not run, so it cannot be ${how}ed`, {
        remedy: `start it: systemctl start ${found.Id}`,
      });
    return { ...present({ unit: name }), by: how, note: noteOf(mark) };
  },
  claims: ({ undo: of }) => ({ changes: keyOf(of) }),
  run: async ({ args: { unit: name, by: how, seconds = 5 }, undo: { note }, host }) => {
    await writeNote(host, note);
    if (name === undefined) {
      await host.run(systemctl('daemon-reload'));
      return null;
    }
    const before = await host.run(showUnit(name));
    await host.run(systemctl(how, name));
    if (isOneshot(before)) return null;
    const after = await expectUp(host, { unit: name, seconds });
    const isDone =
      how === 'reload'
        ? after.StateChangeTimestampMonotonic !== before.StateChangeTimestampMonotonic
        : after.InvocationID !== before.InvocationID;
    if (!isDone)
      throw new RefusedError(`${name} was not ${how}ed, although systemctl reported success`, {
        remedy: `see why: journalctl --unit=${name} --lines=50`,
      });
    return null;
  },
  value: () => undefined,
  look: async ({ undo: { note }, host }) => ({
    state: (await host.stat(note)) === undefined ? 'gone' : 'ours',
  }),
  revert: async ({ undo: { note }, host }) => removeNote(host, note),
  describe: ({ undo: { unit: name, by: how, note } }) => ({
    what: `a ${name === undefined ? 'reload of systemd' : `${how} of ${name}`}, which needs no undo`,
    look: [['ls', note]],
    clear: [['rm', '--force', note]],
  }),
});

/** Returns the named unit. RefusedError if it cannot be restarted or reloaded as requested. */
async function subject(
  host: ReadHost,
  { unit: name, by: how }: { readonly unit?: string; readonly by: z.infer<typeof by> },
): Promise<Unit | undefined> {
  if ((name === undefined) !== (how === 'daemon-reload'))
    throw new RefusedError(`"${how}" ${name === undefined ? 'needs a unit' : 'takes no unit'}`, {
      remedy: 'daemon-reload has no unit; restart and reload have one',
    });
  if (name === undefined) return undefined;
  const found = await host.run(showUnit(name));
  if (how === 'reload' && found.LoadState === 'loaded' && found.CanReload === 'no')
    throw new RefusedError(`${name} cannot be reloaded: it has no ExecReload=`, {
      remedy: 'use restartOn, or by: "restart"',
    });
  return found;
}

function keyOf({ unit: name }: Pick<Undo, 'unit'>): readonly string[] {
  return [name === undefined ? 'systemd:' : `unit:${name}`];
}

async function isBooted(host: ReadHost, { boot }: Undo): Promise<boolean> {
  return (await host.facts()).boot !== boot;
}

function undoneNote({ note }: Undo): string {
  return `${note}-undone`;
}
