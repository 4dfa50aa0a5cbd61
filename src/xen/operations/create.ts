import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { inWords, remedyFor } from '../../blockdevice/index.ts';
import { type ReadHost, refuseExposed } from '../../command/index.ts';
import { type Holder, RefusedError } from '../../core/errors.ts';
import { startedRecovery } from '../manual-recovery.ts';
import type { GuestConfig } from '../config/guest.ts';
import { describe, guestDomains } from '../domains.ts';
import { memoryRefusal } from '../memory.ts';
import { domainRemedy } from '../domains.ts';
import { missingFor } from '../startable.ts';
import {
  checkConfig,
  configOf,
  diskHolders,
  disksOf,
  domainHolder,
  endGuest,
  findGuest,
  guestClaims,
  guestSchema,
  type JournalledGuest,
  startGuest,
} from './guest.ts';
import { randomUuid } from '../../core/random.ts';

const args = z.strictObject({
  /** Absolute path of the config file. */
  config: z.string().check(z.startsWith('/')),
  /** Name of the guest in that file. */
  name: z.string().check(z.minLength(1)),
  /** `paused`: created, but not running (default: `running`). */
  initially: z.exactOptional(z.enum(['running', 'paused'])),
});
const result = z.strictObject({ domid: z.int().check(z.positive()) });

/** Starts a guest from its config file, with the uuid of the file or one that bofh chose before. The undo destroys it. */
export const create = operation({
  kind: 'xen.domain.create',
  version: 1,
  args,
  undo: guestSchema,
  result,
  lives: 'boot',
  starts: 'a writer',
  restores: 'existence',
  prepare: async ({ args: { config, name, initially }, host, chosen }): Promise<JournalledGuest> => {
    const guestConfig = await configOf(host, { config, name });
    await refuseExposed(host, config, 'there');
    const uuid = guestConfig.uuid ?? chosen?.uuid ?? randomUuid();
    const disks = await disksOf(host, guestConfig);
    // The first call only determines what to lock. The second one, under the locks, also checks whether
    // the guest can start.
    if (chosen !== undefined) await refuseUnstartable(host, { guestConfig, uuid, disks });
    const macs = guestConfig.vifs.flatMap(({ mac }) => (mac === undefined ? [] : [mac]));
    return { name, uuid, config, initially: initially ?? 'running', disks, macs };
  },
  claims: async ({ undo, on }) => {
    const { self, disks } = await guestClaims(undo, on);
    return { makes: self, ...disks };
  },
  run: async ({ undo, host }) => ({ domid: (await startGuest(host, undo)).id }),
  value: ({ undo: { name, uuid }, result: { domid } }) => ({ name, uuid, domid }),
  look: async ({ undo, result: done, host }) => {
    const { ours, other, leftovers } = await findGuest(host, { guest: undo, ids: idsOf(done) });
    const inUse = ours.filter(({ state }) => state === 'running' || state === 'paused');
    if (ours.length > 0 || leftovers.length > 0)
      return {
        state: 'ours',
        holders: inUse.map(domainHolder),
      };
    if (other === undefined) return { state: 'gone' };
    const found = `${other.name ?? 'unnamed'}, ${describe(other)}, uuid ${other.uuid}`;
    return { state: 'not-ours', found };
  },
  revert: ({ undo, result: done, host }) => endGuest(host, { guest: undo, ids: idsOf(done) }),
  describe: startedRecovery,
});

function idsOf(done: { readonly domid: number } | undefined): readonly number[] {
  return done === undefined ? [] : [done.domid];
}

interface Wanted {
  readonly guestConfig: GuestConfig;
  readonly uuid: string;
  readonly disks: JournalledGuest['disks'];
}

/** RefusedError with all reasons against starting the guest. */
async function refuseUnstartable(host: ReadHost, guest: Wanted): Promise<void> {
  const { name, file } = guest.guestConfig;
  await checkConfig(host, { config: file, name });
  const { refusals, held } = await refusalsOf(host, guest);
  if (refusals.length === 0) return;
  const remedy = remedyFor(held);
  const isOpenHere = held.every(({ free }) => free?.[0] === 'umount' || free?.[0] === 'cryptsetup');
  throw new RefusedError(`${name} is not started: ${refusals.join('; ')}`, {
    remedy: remedy !== undefined && isOpenHere ? `${remedy}; or bofh vm unmount ${name}` : remedy,
    holders: held,
  });
}

/** All reasons against starting the guest, and the holders among them. */
async function refusalsOf(
  host: ReadHost,
  guest: Wanted,
): Promise<{ readonly refusals: readonly string[]; readonly held: readonly Holder[] }> {
  const { guestConfig, uuid, disks } = guest;
  const refusals: string[] = [];
  const held: Holder[] = [];
  for (const domain of await guestDomains(host, (one) => one.name === guestConfig.name || one.uuid === uuid))
    refusals.push(
      `${describe(domain)} has its ${domain.name === guestConfig.name ? 'name' : `uuid ${uuid}`} (${domainRemedy(domain)})`,
    );
  refusals.push(...(await missingFor(host, guestConfig)));
  for (const disk of disks) {
    const who = await diskHolders(host, disk);
    held.push(...who);
    refusals.push(...who.map((each) => inWords([each])));
  }
  const memory = await memoryRefusal(host, guestConfig);
  return { refusals: memory === undefined ? refusals : [...refusals, memory], held };
}
