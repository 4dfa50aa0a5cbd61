import { posix } from 'node:path';
import * as z from 'zod/mini';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import type { Resource } from './resource.ts';
import { type Owners, type Step, stepOf } from './steps.ts';
import { textIn, textStep, together } from './text-file.ts';

/** A file below /usr/share/zoneinfo. Not `localtime`, which is a link to /etc/localtime there. */
export const zoneName = z
  .string()
  .check(
    z.regex(
      /^(?!localtime$)[A-Za-z][\w+-]*(?:\/[A-Za-z][\w+-]*)*$/,
      'must be the name of a time zone: Europe/Berlin, Etc/UTC',
    ),
  );

const zones = '/usr/share/zoneinfo';

/**
 * Returns how the time zone of the host differs, and the step that changes it: the link that glibc
 * and systemd read, and the file that Debian also has up to 12.
 */
export async function timezoneStep(
  host: ReadHost,
  one: Extract<Resource, { readonly kind: 'timezone' }>,
  owners: Owners,
): Promise<Step | undefined> {
  const { path, name } = one;
  await refuseMissingZone(host, name);
  const isLink = (await host.stat(path))?.kind === 'symlink';
  const target = isLink ? posix.resolve(posix.dirname(path), await host.readLink(path)) : undefined;
  const steps: Step[] = [];
  const details: string[] = [];
  const add = (step: Step | undefined, from: string | undefined): void => {
    if (step === undefined) return;
    steps.push(step);
    details.push(`${step.name} ${from === undefined ? '' : `${from} → `}${name}`);
  };
  // timedatectl(1) writes this relative link, tzdata an absolute one.
  if (target !== posix.join(zones, name))
    add(
      await stepOf(host, { ...one, kind: 'link', to: `..${zones}/${name}` }, owners),
      target?.replace(`${zones}/`, ''),
    );
  const file = '/etc/timezone';
  const before = (await textIn(host, file))?.trim();
  if (before !== undefined && before !== name)
    add(await textStep(host, one, { path: file, text: `${name}\n` }, owners), before);
  if (steps.length === 0) return undefined;
  return { ...{ action: 'change', kind: 'timezone', name, details }, ...together(steps) };
}

/** RefusedError unless the file contains the compiled data of a time zone (tzfile(5)). */
async function refuseMissingZone(host: ReadHost, name: string): Promise<void> {
  const path = posix.join(zones, name);
  const kind = (await host.stat(path))?.kind;
  if (kind === undefined)
    throw new RefusedError(`this host has no time zone ${name}: there is no file ${path}`, {
      code: 'not-found',
      remedy:
        'correct its name; or install its package: apt-get install tzdata; or, for an old name such as US/Eastern since Debian 13: apt-get install tzdata-legacy',
    });
  const isZone =
    kind !== 'directory' && Buffer.from(await host.readFile(path)).toString('latin1', 0, 4) === 'TZif';
  if (!isZone)
    throw new RefusedError(`${name} is not a time zone: ${path} is not a time zone file`, {
      remedy: `name one of: ls ${kind === 'directory' ? path : zones}`,
    });
}
