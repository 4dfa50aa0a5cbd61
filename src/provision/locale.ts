import { posix } from 'node:path';
import * as z from 'zod/mini';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { probe } from '../shell/commands.ts';
import { withLines } from './lines.ts';
import type { Resource } from './resource.ts';
import type { Owners, Step } from './steps.ts';
import { textIn, textStep, together } from './text-file.ts';

/** A name in /usr/share/i18n/SUPPORTED. */
export const localeName = z
  .string()
  .check(
    z.regex(
      /^[A-Za-z]+(?:_[A-Z]+)?(?:\.[A-Za-z0-9-]+)?(?:@[a-z]+)?$/,
      'must be the name of a locale: de_DE.UTF-8, C.UTF-8',
    ),
  );

/** Locales that need no files, or have them in libc-bin. */
const builtIn = ['C', 'POSIX', 'C.UTF-8', 'C.utf8'];
const [generated, archive] = ['/etc/locale.gen', '/usr/lib/locale/locale-archive'];

/** Returns which locales are missing, and whether LANG differs, and the step that changes this. */
export async function localeStep(
  host: ReadHost,
  one: Extract<Resource, { readonly kind: 'locale' }>,
  owners: Owners,
): Promise<Step | undefined> {
  const { name, wanted } = one;
  const file = (path: string, text: string): Promise<Step | undefined> =>
    textStep(host, one, { path, text }, owners);
  const names = wanted.filter((each) => !builtIn.includes(each));
  const { text, added } = await withLocales(host, names);
  const list = added.length === 0 ? undefined : await file(generated, text);
  const isDone = names.map((each) => `locale -a | grep -qFx ${listed(each)}`).join(' && ');
  const isMissing = names.length > 0 && !(await host.run(probe('locale-gen', isDone)));
  const lang = await langOf(host, one);
  const set = lang.before === name ? undefined : await file(lang.path, lang.text);
  const steps = [list, set].filter((each) => each !== undefined);
  if (steps.length === 0 && !isMissing) return undefined;
  return {
    ...{ action: 'change', kind: 'locale', name },
    details: [
      ...added.map((line) => `adds ${line} to ${generated}`),
      ...(isMissing ? ['runs locale-gen'] : []),
      ...(set === undefined
        ? []
        : [`LANG ${lang.before === undefined ? '' : `${lang.before} → `}${name} in ${lang.path}`]),
    ],
    check: together(steps).check,
    run: async (tx, say) => {
      await list?.run(tx, say);
      if (isMissing) {
        // The undo restores the old archive itself, with locales that locale-gen does not know.
        if ((await host.stat(archive)) !== undefined) await tx.file.remove({ path: archive });
        await tx.shell.run({
          ...{ name: 'locale-gen', isDone, run: generate, seconds: 3600 },
          undo: ['rm', '--force', archive],
        });
      }
      await set?.run(tx, say);
    },
  };
}

/** Adds the locales to a copy of the archive, which the step before has renamed. */
const generate = `cd ${posix.dirname(archive)}
set -- .bofh-gone-*
[ "$#" -eq 1 ] || { echo "more than one old locale-archive: $*" >&2; exit 1; }
if [ -e "$1" ]; then cp --archive "$1" ${posix.basename(archive)}; fi
locale-gen --keep-existing`;

/**
 * Returns /etc/locale.gen with a line for each name. RefusedError for a name that the package
 * locales does not have.
 */
async function withLocales(
  host: ReadHost,
  names: readonly string[],
): Promise<{ readonly text: string; readonly added: readonly string[] }> {
  let text = (await textIn(host, generated)) ?? '';
  const added: string[] = [];
  if (names.length === 0) return { text, added };
  const lists = ['/usr/share/i18n/SUPPORTED', '/usr/local/share/i18n/SUPPORTED'];
  const [own, local = ''] = [await textIn(host, lists[0] ?? ''), await textIn(host, lists[1] ?? '')];
  if (own === undefined)
    throw new RefusedError(`no locale can be generated here: there is no ${lists[0] ?? ''}`, {
      code: 'not-found',
      remedy: 'install it: apt-get install locales',
    });
  for (const name of names) {
    const all = `${own}\n${local}`.split('\n').map((line) => line.trim().split(/\s+/));
    const charset = all.find(([first]) => first === name)?.[1];
    if (charset === undefined)
      throw new RefusedError(`there is no locale ${name} in ${lists[0] ?? ''}`, {
        remedy: `see the available ones: grep ${name.replace(/[.@_].*/, '')}_ ${lists[0] ?? ''}`,
      });
    const line = `${name} ${charset}`;
    const found = (sign: string) =>
      new RegExp(`^${sign}[ \\t]*${name.replaceAll('.', '\\.')}[ \\t]+${charset}[ \\t]*$`, 'm');
    if (found('').test(text)) continue;
    added.push(line);
    text = found('#').test(text)
      ? text.replace(found('#'), line)
      : withLines(generated, text, { present: [line] });
  }
  return { text, added };
}

/**
 * Spells a name as `locale -a` does: glibc keeps only the letters and digits of a charset, in lower
 * case.
 */
function listed(name: string): string {
  return name.replace(/\.[^@]+/, (charset) => `.${charset.toLowerCase().replaceAll(/[^a-z0-9]/g, '')}`);
}

/**
 * Returns the file for LANG, its current value, and the text with the new value. Since Debian 13 it
 * is /etc/locale.conf, and each boot makes the old path a link to it.
 */
async function langOf(
  host: ReadHost,
  { path: link, name }: Extract<Resource, { readonly kind: 'locale' }>,
): Promise<{ readonly path: string; readonly before: string | undefined; readonly text: string }> {
  const isLink = (await host.stat(link))?.kind === 'symlink';
  const atBoot = await textIn(host, '/usr/lib/tmpfiles.d/debian.conf');
  const path = isLink
    ? posix.resolve(posix.dirname(link), await host.readLink(link))
    : atBoot?.includes(` ${link} `) === true
      ? '/etc/locale.conf'
      : link;
  const text = (await textIn(host, path)) ?? '';
  if (/^[ \t]*(?:export[ \t]+)?LC_ALL=/m.test(text))
    throw new RefusedError(`${path} sets LC_ALL, which overrides LANG`, {
      remedy: `remove that line from ${path}`,
    });
  const before = /^LANG=(?<quote>["']?)(?<value>.*)\k<quote>[ \t]*$/m.exec(text)?.groups?.value;
  return { path, before, text: withLines(path, text, { replace: { 'LANG=': `LANG=${name}` } }) };
}
