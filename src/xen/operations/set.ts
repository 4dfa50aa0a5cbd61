import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { ChangeHost, Command, ReadHost } from '../../command/index.ts';
import { CommandError, RefusedError, UsageError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import { xlMemSet, xlPause, xlUnpause, xlVcpuSet, xlWeight } from '../commands.ts';
import type { Domain } from '../domains.ts';
import { settingRecovery } from '../manual-recovery.ts';
import { refuseMissingMemory } from '../memory.ts';
import { givenTo } from '../resources.ts';
import type { GivenResources } from '../schema.ts';
import { domainIn, domainOf } from './running.ts';

const whole = z.int().check(z.nonnegative());
const kib = 1024;

/**
 * The settings of a running guest: `memory` is the target of its balloon driver; `vcpus` the number of
 * virtual CPUs that it may use; `weight` its share of the processors; `paused` 1 or 0.
 */
const setting = z.enum(['memory', 'vcpus', 'weight', 'paused']);
export type GuestSetting = z.infer<typeof setting>;

const args = z.strictObject({
  /** Name of the running guest. */
  name: z.string().check(z.minLength(1)),
  /** UUID of the running domain. */
  uuid: z.string().check(z.minLength(1)),
  /** The setting to change. */
  setting,
  /** The new value: bytes of memory, a number of virtual CPUs, a weight, or 1 and 0 for paused. */
  to: whole,
});

const undoSchema = z.extend(args, {
  /** Its domain; missing in an older journal. */
  domid: z.exactOptional(z.int()),
  /** The value as xl uses it: memory in KiB. */
  to: whole,
  from: whole,
  /** For `weight`: the scheduler of the guest. */
  scheduler: z.exactOptional(z.enum(['credit', 'credit2'])),
});
type Undo = z.infer<typeof undoSchema>;

/** libxl_sched_credit2_domain_set */
export const mostWeight = 65_535;

/** xl counts pauses, up to this many (Xen, controller_pause_count): each unpause ends one. */
const mostPauses = 255;

/**
 * Changes a setting of a running guest until it ends. The old and the new value prove the step: a third
 * value was set by others, and is left untouched. A guest that was started again has the settings of its
 * configuration.
 */
export const set = operation({
  kind: 'xen.domain.set',
  version: 1,
  args,
  undo: undoSchema,
  result: z.null(),
  lives: 'boot',
  restores: 'state',
  prepare: async ({ args: asked, host }): Promise<Undo> => {
    const { name, setting: what } = asked;
    const to = what === 'memory' ? asked.to / kib : asked.to;
    if (!Number.isInteger(to))
      throw new UsageError(`to: ${asked.to} bytes of memory are not a whole number of KiB`);
    const domain = await domainIn(host, asked, ['running', 'paused']);
    const { from, most, scheduler } = await valueOf(host, domain, what);
    if (from === undefined)
      throw new RefusedError(`${name} has no weight: its scheduler is neither credit nor credit2`, {
        remedy: 'see the scheduler: xl info',
      });
    if (from === to) throw new UsageError(`${name}: ${inWords(what, to)} already: nothing to change`);
    if (to > most || (to === 0 && what !== 'paused'))
      throw new UsageError(
        `${name} cannot get ${inWords(what, to)}: ${to === 0 ? 'it must be more than 0' : `while it runs, the limit is ${inWords(what, most)}`}`,
      );
    if (what === 'memory')
      await refuseMissingMemory(host, { name, hasMiB: domain.memoryMiB, toMiB: to / 1024 });
    return { ...asked, domid: domain.id, to, from, ...present({ scheduler }) };
  },
  claims: ({ undo: { name, uuid } }) => ({ changes: [`dom:${name}`, `dom-uuid:${uuid}`] }),
  run: async ({ undo, host }) => {
    await apply(host, undo, undo.to);
    return null;
  },
  value: ({ undo: { from, setting: what } }) => ({ from: what === 'memory' ? from * kib : from }),
  look: async ({ undo, host }) => {
    const now = await current(host, undo);
    if (now === undefined || now === undo.from) return { state: 'gone' };
    if (now === undo.to) return { state: 'ours' };
    return { state: 'not-ours', found: `${undo.name}: ${inWords(undo.setting, now)} now` };
  },
  revert: async ({ undo, host }) => {
    if ((await current(host, undo)) === undo.to) await apply(host, undo, undo.from);
  },
  describe: settingRecovery,
});

/** The value now; undefined if there is no such guest, or if it does not run. */
async function current(host: ReadHost, undo: Undo): Promise<number | undefined> {
  const domain = await domainOf(host, undo);
  // The guest was complete before: while xl shows no configuration of any guest, its state reads as `building`.
  if (domain === undefined || !['running', 'paused', 'building'].includes(domain.state)) return undefined;
  return (await valueOf(host, domain, undo.setting)).from;
}

/** The value of a setting, and the greatest that a running guest can get. */
async function valueOf(
  host: ReadHost,
  domain: Domain,
  what: GuestSetting,
): Promise<{
  readonly from: number | undefined;
  readonly most: number;
  readonly scheduler?: GivenResources['scheduler'];
}> {
  if (what === 'paused') return { from: domain.state === 'running' ? 0 : 1, most: 1 };
  const given = await givenTo(host, domain);
  if (what === 'memory') return { from: given.memoryKiB, most: given.maxMemoryKiB };
  if (what === 'vcpus') return { from: given.vcpus, most: given.maxVcpus };
  return { from: given.weight, most: mostWeight, scheduler: given.scheduler };
}

/** A setting with its value, for people: "memory 512 MiB". */
export function inWords(what: GuestSetting, value: number): string {
  if (what === 'paused') return value === 1 ? 'paused' : 'not paused';
  return what === 'memory' ? `memory ${value / 1024} MiB` : `${what} ${value}`;
}

async function apply(host: ChangeHost, undo: Undo, to: number): Promise<void> {
  const domain = await domainOf(host, undo);
  if (domain === undefined)
    throw new RefusedError(`${undo.name} has ended meanwhile`, { remedy: 'see what runs: bofh vm list' });
  if (undo.setting !== 'paused' || to === 1) return host.run(commandFor(undo, domain.id, to));
  for (let nth = 0; nth < mostPauses; nth += 1) {
    await host.run(xlUnpause(domain));
    if ((await current(host, undo)) !== 1) return;
  }
  const { tool, argv } = xlUnpause(domain);
  throw new CommandError({ tool, argv, reason: 'unknown', what: 'the guest is still paused' });
}

function commandFor(
  { setting: what, scheduler = 'credit2' }: Pick<Undo, 'setting' | 'scheduler'>,
  id: number,
  to: number,
): Command<void, 'change'> {
  if (what === 'memory') return xlMemSet({ id, kib: to });
  if (what === 'vcpus') return xlVcpuSet({ id, vcpus: to });
  if (what === 'weight') return xlWeight({ id, scheduler, weight: to });
  return to === 1 ? xlPause({ id }) : xlUnpause({ id });
}
