import { posix } from 'node:path';
import * as z from 'zod/mini';
import { namesIn, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { sha256 } from '../file/path.ts';
import { refuseChange } from '../file/refuse-change.ts';
import { canonicalKey, isSameValue, parameterKey, settable } from '../kernel/parameter.ts';
import { isOffline } from '../service/unit.ts';
import type { Resource } from './resource.ts';
import type { Step } from './steps.ts';
import { textIn } from './text-file.ts';

/** A file that systemd-sysctl reads at boot. */
export const sysctlFile = z
  .string()
  .check(
    z.regex(
      /^\/etc\/sysctl\.d\/[\w@+-][\w@+.-]*\.conf$/,
      'must be a file /etc/sysctl.d/NAME.conf, or no boot reads it',
    ),
  );

/**
 * Of several files with one name, only the one in the first of these directories counts
 * (sysctl.d(5)).
 */
const directories = ['/etc/sysctl.d', '/run/sysctl.d', '/usr/local/lib/sysctl.d', '/usr/lib/sysctl.d'];

/**
 * Returns the step that sets a kernel parameter, now and in the file that sets it at boot;
 * undefined if both already have the value.
 */
export async function sysctlStep(
  host: ReadHost,
  { path, name: key, wanted: value }: Extract<Resource, { readonly kind: 'sysctl' }>,
): Promise<Step | undefined> {
  // In a chroot, such as the root of a guest that is off, the running kernel is not that of the
  // guest.
  const isOff = await host.run(isOffline());
  const now = isOff ? value : await settable(host, key, value);
  const before = await textIn(host, path);
  const [found, ...others] = entriesIn(before ?? '').filter((each) => each.key === key);
  const [isNow, isAtBoot] = [
    isSameValue(now, value),
    isSameValue(found?.value, value) && others.length === 0,
  ];
  if (isNow && isAtBoot) {
    await refuseOverride(host, { path, key, value });
    return undefined;
  }
  const from = found === undefined ? '' : `${found.value} → `;
  return {
    ...{ action: 'change', kind: 'sysctl', name: key },
    details: [
      ...(isNow ? [] : [`now ${now.replaceAll('\t', ' ')} → ${value}`]),
      ...(isAtBoot ? [] : [`at boot ${from}${value} in ${path}`]),
    ],
    check: async () => {
      if (others.length > 0)
        throw new RefusedError(`${path} sets ${key} more than once`, {
          remedy: 'remove all of them but one',
        });
      await refuseOverride(host, { path, key, value });
      if (before !== undefined) await refuseChange(host, path);
    },
    run: async (tx) => {
      // First, so that it is undone last: a reboot before that sets the value from the new file.
      if (!isNow) await tx.kernel.setParameter({ key, value });
      if (isAtBoot) return;
      const lines = (before ?? '').split('\n');
      const line = `${key} = ${value}`;
      if (found !== undefined) lines[found.at] = line;
      else lines.splice(lines.at(-1) === '' ? -1 : lines.length, 0, line);
      const content = `${lines.join('\n')}${lines.at(-1) === '' ? '' : '\n'}`;
      const asked = { path, content, encoding: 'latin1' as const };
      if (before === undefined) await tx.file.create(asked);
      else await tx.file.change({ ...asked, sha256: sha256(Buffer.from(before, 'latin1')) });
    },
  };
}

interface Entry {
  /** Index of the line. */
  readonly at: number;
  readonly key: string;
  readonly value: string;
}

/**
 * Returns the settings in a file. Leaves out patterns such as `net.ipv4.conf.*.rp_filter`, which
 * never apply to a parameter with its own line.
 */
function entriesIn(text: string): readonly Entry[] {
  return text.split('\n').flatMap((line, at) => {
    const { key = '', value } =
      /^\s*-?(?<key>[^#;=\s][^=]*?)\s*=\s*(?<value>.*?)\s*$/.exec(line)?.groups ?? {};
    const isKey = value !== undefined && parameterKey.safeParse(key).success;
    return isKey ? [{ at, key: canonicalKey(key), value }] : [];
  });
}

/** RefusedError if a file that systemd-sysctl reads later at boot sets another value. */
async function refuseOverride(
  host: ReadHost,
  { path, key, value }: { readonly path: string; readonly key: string; readonly value: string },
): Promise<void> {
  const files = new Map<string, string>();
  for (const directory of directories)
    for (const name of await namesIn(host, directory))
      if (name.endsWith('.conf') && !files.has(name)) files.set(name, posix.join(directory, name));
  const later = [...files.keys()].filter((name) => name > posix.basename(path)).sort();
  let last: { readonly file: string; readonly value: string } | undefined;
  for (const name of later) {
    const file = files.get(name) ?? '';
    for (const each of entriesIn((await textIn(host, file)) ?? ''))
      if (each.key === key) last = { file, value: each.value };
  }
  if (last === undefined || isSameValue(last.value, value)) return;
  throw new RefusedError(
    `at boot ${last.file} sets ${key} to ${last.value}, because it comes after ${posix.basename(path)}`,
    {
      remedy: `remove that line of ${last.file}, or describe it in a file whose name comes later: { file: '/etc/sysctl.d/zz-bofh.conf' }`,
    },
  );
}
