import * as z from 'zod/mini';
import type { ReadHost } from '../command/index.ts';
import { RefusedError, ToolError } from '../core/errors.ts';
import { configured } from '../drbd/index.ts';
import { runningValue, settable } from '../kernel/parameter.ts';
import { isOffline } from '../service/unit.ts';
import type { Resource } from './resource.ts';
import type { Owners, Step } from './steps.ts';
import { textIn, textStep, together } from './text-file.ts';

/**
 * Labels of RFC 1123, and HOST_NAME_MAX of Linux. The last label must not be only digits, because
 * the name could then be an address.
 */
export const hostName = z
  .string()
  .check(
    z.maxLength(64, 'must have at most 64 characters'),
    z.regex(
      /^(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.)*(?!\d+$)[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/i,
      'must be labels of letters, digits and hyphens, with dots between them: web1, web1.example.org',
    ),
  );

const key = 'kernel.hostname';
const hosts = '/etc/hosts';

/**
 * Returns how the host name differs now, at boot, or in Debian's line for it in /etc/hosts, and the
 * step that changes it.
 */
export async function hostnameStep(
  host: ReadHost,
  one: Extract<Resource, { readonly kind: 'hostname' }>,
  { owners, all }: { readonly owners: Owners; readonly all: readonly Resource[] },
): Promise<Step | undefined> {
  const { path, name } = one;
  // In a chroot, such as the root of a guest that is off, the kernel has the name of another system.
  const running = (await host.run(isOffline())) ? undefined : await runningValue(host, key);
  // Empty lines and comments do not count (hostname(5)).
  const atBoot = /^[^#\s].*$/m.exec((await textIn(host, path)) ?? '')?.[0].trim();
  const old = atBoot ?? running;
  const isNow = running === undefined || running === name;
  const details = isNow ? [] : [`now ${running} → ${name}`];
  const files: Step[] = [];
  const add = async (at: string, text: string, detail: string): Promise<void> => {
    const step = await textStep(host, one, { path: at, text }, owners);
    if (step !== undefined) files.push(step);
    details.push(detail);
  };
  if (atBoot !== name)
    await add(path, `${name}\n`, `${path} ${atBoot === undefined ? '' : `${atBoot} → `}${name}`);
  const isDescribed = all.some((each) => each.kind === 'file' && each.path === hosts);
  const before = old === undefined || old === name || isDescribed ? undefined : await textIn(host, hosts);
  const after = before === undefined ? undefined : renamed(before, [old ?? '', name]);
  if (after !== undefined && after !== before) await add(hosts, after, `127.0.1.1 in ${hosts}`);
  if (details.length === 0) return undefined;
  const both = together(files);
  return {
    ...{ action: 'change', kind: 'hostname', name, details },
    check: async () => {
      if (!isNow) await settable(host, key, name);
      await refuseDrbd(host, [running ?? old ?? name, name]);
      await both.check();
    },
    run: async (tx, say) => {
      // First, so that its undo comes last: a reboot meanwhile sets the value of the file.
      if (!isNow) await tx.kernel.setParameter({ key, value: name });
      await both.run(tx, say);
    },
  };
}

/**
 * Returns /etc/hosts with the new name in the lines of 127.0.1.1, with the domain of the old name
 * if the new one has none. Debian's installer writes such a line, without which a host does not
 * find its own name.
 */
function renamed(text: string, [old, name]: readonly [old: string, name: string]): string {
  const [oldLabel, label] = [old, name].map((each) => each.replace(/\..*/, ''));
  const newOf = (word: string): string => {
    const [first, ...domain] = word.split('.');
    if (first !== oldLabel) return word;
    if (domain.length === 0) return label ?? '';
    return name.includes('.') ? name : [label, ...domain].join('.');
  };
  return text.replaceAll(
    /^(?<start>[ \t]*127\.0\.1\.1[ \t]+)(?<names>[^#\n]*)/gm,
    (line, start: string, names: string) => {
      const there = names.match(/\S+/g) ?? [];
      if (!there.some((word) => newOf(word) !== word)) return line;
      const after = names.replaceAll(/\S+/g, newOf);
      return after.split(/\s+/).includes(name) ? `${start}${after}` : `${start}${name} ${after}`;
    },
  );
}

/**
 * RefusedError for a host with DRBD resources for its old name: drbdadm(8) finds the section of a
 * host by `uname -n`.
 */
async function refuseDrbd(host: ReadHost, [old, name]: readonly [string, string]): Promise<void> {
  const all = await configured(host).catch((error: unknown) => {
    // Without drbd-utils no program reads the files.
    if (error instanceof ToolError) return [];
    throw error;
  });
  const has = (of: (typeof all)[number], wanted: string): boolean =>
    of.hosts.some(({ names }) => names.includes(wanted));
  const found = all.find((each) => has(each, old) && !has(each, name));
  if (found === undefined) return;
  throw new RefusedError(
    `the DRBD resource ${found.name} (${found.file}) names this host ${old}: after the change to ${name}, drbdadm would not find this host in it`,
    {
      remedy: `first add the new name to the configuration of the resource, on each of its hosts: "on ${old} ${name} { … }"`,
    },
  );
}
