import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { CommandError, RefusedError, UsageError } from '../../core/errors.ts';
import { stoppedRecovery } from '../manual-recovery.ts';
import { xlDestroy, xlShutdown } from '../commands.ts';
import type { GuestConfig } from '../config/guest.ts';
import { describe, type Domain, guestDomains } from '../domains.ts';
import { domainRemedy } from '../domains.ts';
import { until } from '../backends.ts';
import {
  checkConfig,
  configOf,
  disksOf,
  endGuest,
  findGuest,
  guestClaims,
  guestSchema,
  refuseHeldDisks,
  startGuest,
} from './guest.ts';
import { option } from '../../core/option.ts';

/**
 * The way to end a guest: ask it to shut down, destroy it at once, or destroy it if it has not shut down in
 * time.
 */
const ending = z.enum(['shutdown', 'destroy', 'shutdown or destroy']);

const args = z.strictObject({
  /** Name of the running guest. */
  name: z.string().check(z.minLength(1)),
  /** UUID of the running domain. */
  uuid: z.string().check(z.minLength(1)),
  /** Absolute path of the config file from which the undo starts the guest. */
  config: z.string().check(z.startsWith('/')),
  /**
   * `shutdown`: asks the guest. `destroy`: powers it off. `shutdown or destroy`: asks, and powers
   * it off after `timeoutMs`.
   */
  how: ending,
  /** Timeout for the shutdown of the guest (default: 5 minutes). */
  timeoutMs: z.exactOptional(z.int().check(z.positive())),
});

const undoSchema = z.extend(guestSchema, {
  how: ending,
  timeoutMs: z.int(),
  /** The domain that ran at prepare. A later domain is the guest after a new start. */
  domid: z.int(),
  /**
   * A file in /run that exists from before the request until the guest is gone. A guest removes the shutdown
   * request from xenstore when it reads it. So after a kill of bofh, only this file shows that a running
   * guest will shut down later.
   */
  marker: z.string(),
});
type Undo = z.infer<typeof undoSchema>;

/**
 * If xl has not cleaned up a guest this long after its shutdown, the guest has no monitor process (xl), or
 * has on_poweroff="preserve".
 */
const monitorMs = 10_000;
/** How long the undo waits for a guest that did not shut down in time. */
const lateMs = 5_000;

/** Ends a running guest. The undo starts it again from its config, with the same uuid. */
export const shutdown = operation({
  kind: 'xen.domain.shutdown',
  version: 1,
  args,
  undo: undoSchema,
  result: z.strictObject({ domid: z.int() }),
  lives: 'boot',
  restores: 'existence',
  prepare: async ({ args: asked, mark, host, chosen }): Promise<Undo> => {
    const { name, uuid, config, how, timeoutMs = 300_000 } = asked;
    const domain = await runningDomain(host, { name, uuid, how });
    const read = await configOf(host, { config, name, uuid });
    // The undo starts the guest from this file. Checked only in the second call, under the locks.
    if (chosen !== undefined) await checkConfig(host, { config, name, uuid });
    const disks = await disksOf(host, read);
    const macs = read.vifs.flatMap(({ mac }) => (mac === undefined ? [] : [mac]));
    const initially = domain.state === 'paused' ? 'paused' : 'running';
    const marker = `/run/bofh/${mark}.shutdown`;
    return { name, uuid, config, initially, disks, macs, how, timeoutMs, domid: domain.id, marker };
  },
  claims: async ({ undo, on }) => {
    const { self, disks } = await guestClaims(undo, on);
    return { changes: [...self, ...disks.changes], needs: disks.needs };
  },
  run: async ({ undo, host }) => {
    await host.makeDir('/run/bofh', { mode: 0o700, parents: true });
    await host.writeNew(undo.marker, '', { mode: 0o600 });
    await end(host, undo);
    await host.removeFile(undo.marker);
    return { domid: undo.domid };
  },
  value: () => undefined,
  look: async ({ undo, host }) => {
    const { ours } = await findGuest(host, { guest: undo, ids: [] });
    if (await marked(host, undo)) return { state: 'ours' };
    // If the guest is not there, the state is `ours` also if another guest has its name now: this one cannot be
    // started again then, and that must not count as undone.
    return { state: ours.some(isThere) ? 'gone' : 'ours' };
  },
  revert: async ({ undo, host }) => {
    if (!(await intact(host, undo))) {
      await refuseNameTaken(host, undo);
      const now = await configNow(host, undo);
      await endGuest(host, { guest: undo, ids: [undo.domid] });
      await refuseHeldDisks(host, { name: undo.name, disks: await disksOf(host, now) });
      await startAgain(host, undo);
    }
    for (const file of [undo.marker, late(undo)])
      if ((await host.stat(file)) !== undefined) await host.removeFile(file);
  },
  describe: stoppedRecovery,
});

async function refuseNameTaken(host: ChangeHost, undo: Undo): Promise<void> {
  const { other } = await findGuest(host, { guest: undo, ids: [] });
  if (other?.name === undo.name)
    throw new RefusedError(
      `${undo.name} (uuid ${undo.uuid}) cannot be started again: ${describe(other)} has its name, under the uuid ${other.uuid}`,
      {
        remedy: `end or rename the guest that has its name: xl rename ${other.id} NAME; then: bofh recover`,
      },
    );
}

/** The configuration from which the guest is started again: others may have edited it since. */
async function configNow(host: ReadHost, { name, config }: Undo): Promise<GuestConfig> {
  try {
    return await configOf(host, { name, config });
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new RefusedError(`${name} cannot be started again: ${cause.message}`, {
      cause,
      remedy: `correct ${config}; then: bofh recover`,
    });
  }
}

/**
 * The number of retries for a guest whose hotplug scripts were too slow: libxl gives them 40 s
 * (LIBXL_HOTPLUG_TIMEOUT).
 */
const attempts = 3;

// A busy host reaches that limit (4.17, seen under load 10), and a failed undo needs manual
// recovery.
async function startAgain(host: ChangeHost, undo: Undo): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const failure = await failureOf(startGuest(host, undo));
    if (failure === undefined) return;
    if (failure.reason !== 'timeout' || attempt === attempts) throw failure;
    await endGuest(host, { guest: undo, ids: [] });
  }
}

function isThere({ state }: Domain): boolean {
  return state === 'running' || state === 'paused' || state === 'building';
}

function late({ marker }: Undo): string {
  return `${marker}.late`;
}

async function marked(host: ReadHost, undo: Undo): Promise<boolean> {
  return (await host.stat(undo.marker)) !== undefined || (await host.stat(late(undo))) !== undefined;
}

async function runningDomain(
  host: ReadHost,
  wanted: { readonly name: string; readonly uuid: string; readonly how: Undo['how'] },
): Promise<Domain> {
  const { name, uuid, how } = wanted;
  const [domain] = await guestDomains(host, (each) => each.uuid === uuid && each.name === name);
  if (domain === undefined)
    throw new RefusedError(`no domain ${name} with the uuid ${uuid} runs`, {
      remedy: 'see what runs: bofh xen list',
    });
  if (domain.state === 'running' || (domain.state === 'paused' && how === 'destroy')) return domain;
  // A paused guest cannot shut down; a guest that crashed or is suspended could not be restored by
  // the undo.
  throw new RefusedError(`${name} is not running: ${describe(domain)}`, {
    remedy: domainRemedy(domain),
  });
}

/** Ends the guest, and waits until the listing shows that it has ended: the exit code of xl proves nothing. */
async function end(host: ChangeHost, undo: Undo): Promise<void> {
  const { domid, timeoutMs } = undo;
  const isIt = ({ id }: { readonly id: number }): boolean => id === domid;
  const destroy = (): Promise<CommandError | undefined> => failureOf(host.run(xlDestroy({ id: domid })));
  const refusal =
    undo.how === 'destroy' ? undefined : await failureOf(host.run(xlShutdown({ id: domid, timeoutMs })));
  const isRefused = refusal?.reason === 'timeout' || refusal?.reason === 'unknown';
  const isForced = undo.how === 'destroy' || (undo.how === 'shutdown or destroy' && isRefused);
  const failure = isForced ? await destroy() : refusal;
  const stopped = await until({
    limitMs: failure === undefined ? monitorMs : 0,
    check: async () => (await guestDomains(host, isIt)).length === 0,
  });
  const [still] = stopped ? [] : await guestDomains(host, isIt);
  if (still?.state === 'running' || still?.state === 'paused') {
    if (failure?.reason === 'timeout') await host.rename(undo.marker, late(undo));
    throw failure?.reason === 'timeout' ? tooSlow(undo, failure) : (failure ?? tooSlow(undo, failure));
  }
  // A guest that was started again meanwhile has another domid, and must not be ended.
  await endDomain(host, undo);
}

/** Destroys the domain that is left. It is off or dying, so the guest loses nothing. */
async function endDomain(host: ChangeHost, undo: Undo): Promise<void> {
  const restarted = (await findGuest(host, { guest: undo, ids: [] })).ours.some(
    ({ id }) => id !== undo.domid,
  );
  if (restarted)
    throw new RefusedError(`${undo.name} was started again during the shutdown`, {
      remedy: 'look at it: xl list -v; then run the command again',
    });
  await endGuest(host, { guest: undo, ids: [undo.domid] });
}

function tooSlow({ name, domid, timeoutMs }: Undo, cause: CommandError | undefined): CommandError {
  return new CommandError({
    tool: 'xl',
    argv: ['shutdown', String(domid)],
    reason: 'timeout',
    what: `${name} did not shut down within ${timeoutMs / 1000} s: it may still be shutting down`,
    remedy: `see whether it still runs: bofh vm list; then allow it more time: ${option('--time SECONDS', 'timeoutMs')}; or power it off: ${option(`bofh vm stop ${name} --force-off`, `vm.stop('${name}', { forceOff: 'at once' })`)}`,
    cause,
  });
}

/**
 * Whether the guest is unchanged, so that it need not be started. Waits first if the guest was asked to shut
 * down: a guest that still runs after that time has ignored the request. A guest that ran and is paused now
 * is half-destroyed.
 */
async function intact(host: ReadHost, undo: Undo): Promise<boolean> {
  const asked = undo.how !== 'destroy' && (await host.stat(undo.marker)) !== undefined;
  const limitMs = asked ? undo.timeoutMs : (await marked(host, undo)) ? lateMs : 0;
  let runs = false;
  await until({
    limitMs,
    check: async () => {
      const { ours } = await findGuest(host, { guest: undo, ids: [] });
      const domain = ours.find(({ state }) => state === 'running' || state === undo.initially);
      runs = domain !== undefined;
      return domain === undefined || domain.id !== undo.domid;
    },
  });
  return runs;
}

async function failureOf(work: Promise<unknown>): Promise<CommandError | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
}
