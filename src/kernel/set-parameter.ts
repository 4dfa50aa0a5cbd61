import * as z from 'zod/mini';
import { type Look, operation } from '../atomic/operation.ts';
import type { ChangeHost, ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import {
  canonicalKey,
  isAccepted,
  isSameValue,
  movedBy,
  parameterKey,
  parameterValue,
  refuseRouteLoss,
  runningValue,
  setValue,
  settable,
} from './parameter.ts';

const undo = z.strictObject({
  key: parameterKey,
  before: z.string(),
  after: parameterValue,
  /** The old values of the parameters that the kernel changes together with this one. */
  moved: z.array(z.strictObject({ key: parameterKey, before: z.string() })),
  boot: z.string(),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.kernel.setParameter`: sets a parameter of the running kernel, as sysctl(8) does, until the
 * next reboot. Undo sets the old value, and the old values of the parameters that the kernel
 * changed with it, such as `net.ipv4.conf.eth0.forwarding` with `net.ipv4.ip_forward`. A value that
 * others have set meanwhile stays.
 */
export const setParameter = operation({
  kind: 'kernel.parameter',
  version: 1,
  args: z.strictObject({
    /** Name of the parameter as in sysctl.d(5): `net.ipv4.ip_forward`. */
    key: parameterKey,
    /**
     * The new value; several values are separated by spaces. RefusedError for a value that the
     * kernel would round.
     */
    value: parameterValue,
  }),
  undo,
  result: z.null(),
  lives: 'boot',
  // The boot reads the file in sysctl.d that an older step wrote.
  recurs: true,
  restores: 'state',
  keepsContent: true,
  prepare: async ({ args: { key: given, value: after }, host }): Promise<Undo> => {
    const key = canonicalKey(given);
    const before = await settable(host, key, after);
    if (isSameValue(before, after))
      throw new RefusedError(`${key} is ${after} already`, { remedy: `see it: sysctl ${key}` });
    await refuseRouteLoss(host, key, after);
    const moved: { key: string; before: string }[] = [];
    for (const each of await movedBy(host, key)) {
      const value = await runningValue(host, each);
      if (value !== undefined) moved.push({ key: each, before: value });
    }
    return { key, before, after, moved, boot: (await host.facts()).boot };
  },
  claims: ({ undo: { key, moved } }) => ({
    changes: [key, ...moved.map((each) => each.key)].map((each) => `sysctl:${each}`),
  }),
  run: async ({ undo: of, host }) => {
    const { key, before, after } = of;
    await host.run(setValue(key, after));
    const now = await runningValue(host, key);
    if (isSameValue(now, after)) return null;
    // It is not the value of the step, so nothing else would set it back.
    if (!isSameValue(now, before)) await restore(host, of);
    throw new RefusedError(
      isSameValue(now, before)
        ? `the kernel did not accept ${after} for ${key}, which is still ${before}`
        : `the kernel changed the value ${after} for ${key} to ${now ?? 'nothing'}`,
      { remedy: `describe a value that the kernel keeps${isSameValue(now, before) ? '' : `: ${now ?? ''}`}` },
    );
  },
  value: ({ undo: { key, before } }) => ({ key, before }),
  look: ({ undo: of, host }) => look(host, of),
  revert: async ({ undo: of, host }) => restore(host, of),
  describe: ({ undo: { key, before, moved } }) => ({
    what: `kernel parameters, as they were: ${[{ key, before }, ...moved].map((each) => `${each.key} = ${each.before}`).join(', ')}`,
    look: [['sysctl', key, ...moved.map((each) => each.key)]],
    clear: [{ key, before }, ...moved]
      .filter((each) => isAccepted(each.key, each.before))
      .map((each) => ['sysctl', '--write', `${each.key}=${each.before}`]),
  }),
});

/** Sets the old value, and those of the parameters that the kernel changed with it. */
async function restore(host: ChangeHost, { key, before, moved }: Undo): Promise<void> {
  // It moves the others, also when it has that value already.
  if (isAccepted(key, before)) await host.run(setValue(key, before));
  for (const each of moved) {
    const now = await runningValue(host, each.key);
    if (now !== undefined && !isSameValue(now, each.before) && isAccepted(each.key, each.before))
      await host.run(setValue(each.key, each.before));
  }
}

async function look(host: ReadHost, { key, before, after, moved, boot }: Undo): Promise<Look> {
  const now = await runningValue(host, key);
  if (isSameValue(now, after)) return { state: 'ours' };
  if ((await host.facts()).boot !== boot) return { state: 'gone' };
  if (now !== undefined && !isSameValue(now, before))
    return { state: 'not-ours', found: `${key} is ${now} now` };
  // An undo that was cut short has set only the first one.
  for (const each of now === undefined ? [] : moved) {
    const value = await runningValue(host, each.key);
    if (value !== undefined && !isSameValue(value, each.before)) return { state: 'ours' };
  }
  return { state: 'gone' };
}
