// dist/THIRD-PARTY-NOTICES.txt: whose code is in the bundle, and under which licence. The licences require this.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Licences that allow bundling into a program under the MIT licence, and require only the notice. */
const compatible = new Set(['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT']);

/** Returns the directories of the packages of these modules. */
export function packageFolders(moduleIds) {
  const folders = moduleIds.flatMap(
    (id) => /^(?<folder>.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id)?.groups.folder ?? [],
  );
  return [...new Set(folders)].sort();
}

/** Name, version, licence and text of a package. Throws for a licence that is unknown or without its text. */
export function noticeOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = readdirSync(folder).filter((file) => /^(?:licen[cs]e|copying|notice)\b/i.test(file));
  const text = files.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n');
  return checked({ packages: [`${name}@${version}`], licence: license, text });
}

/**
 * jiti is itself a bundle, without the licences of its parts: inside-jiti.json has them, copied from those packages.
 * Throws for a part that is missing there.
 */
export function noticesInsideJiti(folder, known) {
  const notices = known.licences.map(checked);
  const listed = new Set(notices.flatMap(({ packages }) => packages));
  for (const file of ['jiti.cjs', 'babel.cjs'])
    for (const id of insideIds(readFileSync(join(folder, 'dist', file), 'utf8')))
      if (!listed.has(id))
        throw new Error(
          `${file} of jiti has ${id} in it, whose licence is not in scripts/lib/inside-jiti.json`,
        );
  return notices;
}

/** Returns names and versions from the module names of a webpack bundle that was built from a pnpm store. */
function insideIds(text) {
  const path =
    /node_modules\/\.pnpm\/[^/"']*?@(?<version>\d[^/"'_(]*)[^/"']*\/node_modules\/(?<name>(?:@[^/"']+\/)?[^/"']+)/g;
  return new Set([...text.matchAll(path)].map(({ groups }) => `${groups.name}@${groups.version}`));
}

/** The whole file. */
export function noticesText(notices) {
  const rule = '-'.repeat(78);
  return [
    'The files beside this one have code of these packages in them.',
    ...notices.map(
      ({ packages, licence, text }) => `${rule}\n${packages.join('\n')}\nLicence: ${licence}\n\n${text}`,
    ),
  ]
    .join('\n\n')
    .concat('\n');
}

function checked(notice) {
  const { packages, licence, text } = notice;
  const name = packages.join(', ');
  if (!compatible.has(licence))
    throw new Error(`${name} may not be bundled: its licence is ${String(licence)}`);
  if (text === '') throw new Error(`${name} may not be bundled: it has no text of its licence`);
  return notice;
}
