import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import { missingBridge } from '../bridge.ts';
import { xlInterfaces, xlNetworkAttach, xlNetworkDetach } from '../commands.ts';
import { interfaceRecovery } from '../manual-recovery.ts';
import { domainIn, domainOf, refuseNotRunning } from './running.ts';

const args = z.strictObject({
  /** Name of the running guest. */
  name: z.string().check(z.minLength(1)),
  /** UUID of the running domain. */
  uuid: z.string().check(z.minLength(1)),
  /** MAC address of the interface: lower case, with colons. */
  mac: z
    .string()
    .check(z.regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/, 'a MAC address in lower case, 00:16:3e:12:34:56')),
  /** The bridge of this host for the interface; null detaches the interface. */
  bridge: z.nullable(z.string().check(z.minLength(1))),
});

const place = z.nullable(
  z.strictObject({
    bridge: z.string(),
    /** Path of the script that connects it. */
    script: z.exactOptional(z.string()),
  }),
);
type Place = z.infer<typeof place>;

const undoSchema = z.strictObject({
  name: z.string(),
  uuid: z.string(),
  /** Its domain; missing in an older journal. */
  domid: z.exactOptional(z.int()),
  mac: z.string(),
  from: place,
  to: place,
});
type Undo = z.infer<typeof undoSchema>;

/** Keys of `xl list -l` that xl sets by itself: the undo does not have to pass them. */
const setByXl: readonly string[] = ['devid', 'nictype'];

/**
 * Attaches a network interface on a bridge to a running guest, or detaches one, until the guest
 * ends. The MAC address together with the old and the new bridge proves the step. If the interface
 * is on a third bridge, others changed it, and it is left untouched.
 */
export const setInterface = operation({
  kind: 'xen.interface.set',
  version: 1,
  args,
  undo: undoSchema,
  result: z.null(),
  lives: 'boot',
  restores: 'state',
  prepare: async ({ args: { bridge, ...asked }, host }): Promise<Undo> => {
    const { name, mac } = asked;
    const domain = await domainIn(host, asked, ['running']);
    const from = await placeOf(host, { ...asked, id: domain.id });
    if (bridge === null && from === null)
      throw new UsageError(
        `${name} has no interface with the MAC address ${mac}: there is nothing to detach`,
      );
    const of = { ...asked, domid: domain.id, from };
    if (bridge === null) return { ...of, to: null };
    await refuseUsed(host, mac);
    const missing = await missingBridge(host, { bridge });
    if (missing !== undefined)
      throw new RefusedError(missing, { code: 'not-found', remedy: 'see the bridges: bofh network list' });
    return { ...of, to: { bridge } };
  },
  claims: ({ undo: { name, uuid, mac } }) => ({
    changes: [`dom:${name}`, `dom-uuid:${uuid}`, `mac:${mac}`],
  }),
  run: async ({ undo, host }) => {
    await apply(host, undo, undo.to);
    return null;
  },
  value: () => null,
  look: async ({ undo, host }) => {
    const domain = await domainOf(host, undo);
    if (domain === undefined) return { state: 'gone' };
    const now = await placeOf(host, { ...undo, id: domain.id });
    if (now?.bridge === undo.from?.bridge) return { state: 'gone' };
    if (now?.bridge === undo.to?.bridge) return { state: 'ours' };
    const where = now?.bridge ?? 'no bridge';
    return { state: 'not-ours', found: `the interface ${undo.mac} of ${undo.name} is on ${where} now` };
  },
  revert: async ({ undo, host }) => {
    const domain = await domainOf(host, undo);
    if (domain === undefined) return;
    if ((await placeOf(host, { ...undo, id: domain.id }))?.bridge === undo.from?.bridge) return;
    refuseNotRunning(domain, undo);
    if (undo.from !== null)
      await refuseUsed(
        host,
        undo.mac,
        (id) => `detach it there: xl network-detach ${id} ${undo.mac}; then: bofh recover`,
      );
    await apply(host, undo, undo.from);
  },
  describe: interfaceRecovery,
});

async function apply(host: ChangeHost, undo: Undo, to: Place): Promise<void> {
  const { id } = await domainIn(host, undo, ['running']);
  const { mac } = undo;
  await host.run(to === null ? xlNetworkDetach({ id, mac }) : xlNetworkAttach({ id, mac, ...to }));
}

/** Refuses a MAC address in use: two guests with one address cannot reach the network. */
async function refuseUsed(
  host: ReadHost,
  mac: string,
  remedy: (id: number) => string = () => 'choose another MAC address; to see the guests: bofh vm list',
): Promise<void> {
  for (const [id, nics] of await host.run(xlInterfaces()))
    if (nics.some((each) => each.mac === mac))
      throw new RefusedError(`domain ${id} has the MAC address ${mac} already`, {
        code: 'in-use',
        remedy: remedy(id),
      });
}

/**
 * The present bridge of that interface; null if the guest does not have it. Throws RefusedError if the undo
 * could not attach it again unchanged.
 */
async function placeOf(
  host: ReadHost,
  { id, name, mac }: { readonly id: number; readonly name: string; readonly mac: string },
): Promise<Place> {
  const found = (await host.run(xlInterfaces())).get(id)?.find((each) => each.mac === mac);
  if (found === undefined) return null;
  const { mac: _, bridge, script, ...rest } = found;
  const odd = Object.keys(rest).find((key) => !setByXl.includes(key));
  if (bridge !== undefined && odd === undefined) return { bridge, ...present({ script }) };
  throw new RefusedError(
    `the interface ${mac} of ${name} has ${odd === undefined ? 'no bridge' : `the option ${odd}`}, and an undo could not attach it again`,
    { remedy: `detach it without an undo: xl network-detach ${name} ${mac}` },
  );
}
