import { packageStates } from '../../../packages/commands.ts';
import { readOptions, unmodelled } from '../../options.ts';
import { listPath, listsDirectory, parsedSources, prefixOf } from '../../../packages/sources.ts';
import { makeDir, reached, readFile } from '../../world/files.ts';
import { addInode, file as newFile, inodeOf, removeEntry } from '../../world/tree.ts';
import { resolve } from '../../world/resolve.ts';
import { settle, type World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import {
  autoNames,
  databaseOf,
  isInstalled,
  nameOf,
  type Paragraph,
  paragraphsIn,
  textOf,
  writeAuto,
  writeDatabase,
} from '../../world/packages.ts';

/**
 * dpkg 1.21 and apt 2.6, as far as `src/packages/` uses them. A simulated .deb is its paragraph in
 * the archive.
 */
export const packageTools: Readonly<Record<string, ToolModel>> = {
  'apt-cache': aptCache,
  'apt-get': aptGet,
  'apt-mark': aptMark,
  cat: marks,
  dpkg,
  'dpkg-deb': dpkgDeb,
  'dpkg-query': dpkgQuery,
  env,
};

/** Returns the archives that the simulated apt knows. */
function archives(world: World): readonly Paragraph[] {
  const directory = resolve(world, listsDirectory, 'follow');
  const lists = directory.found ? [...(directory.inode.entries?.keys() ?? [])] : [];
  const read = lists
    .filter((name) => name.endsWith('_Packages'))
    .map((name) => new TextDecoder().decode(readFile(world, listPath(name))));
  return paragraphsIn([world.packages.archives, ...read].join('\n\n'));
}

type Answered = ReturnType<ToolModel>;

/** `env [--chdir=DIRECTORY] [NAME=VALUE]… PROGRAM …` */
function env(call: ToolCall): Answered {
  const at = call.argv.findIndex((word) => !/^--chdir=|^[A-Z_]+=/.test(word));
  const [tool = '', ...argv] = call.argv.slice(Math.max(at, 0));
  const directory = call.argv[0]?.replace(/^--chdir=/, '') ?? '';
  if (tool === 'dpkg-repack') return repack({ ...call, tool, argv }, directory);
  if (tool === 'apt-get' && argv.includes('download')) return download({ ...call, tool, argv }, directory);
  const model = tool === 'env' ? undefined : packageTools[tool];
  if (model === undefined) throw unmodelled(call, 'it starts apt-get and dpkg');
  return model({ ...call, tool, argv });
}

function dpkgQuery(call: ToolCall): Answered {
  const { world, argv } = call;
  if (argv.join('\0') === packageStates().argv.join('\0'))
    return ok(
      databaseOf(world)
        .map((each) => {
          const [want = '', error = '', status = ''] = (each.get('Status') ?? '').split(' ');
          const { Package: name, Architecture: architecture, Version: version } = Object.fromEntries(each);
          return `${[name, architecture, version ?? '', want, error, status].join('\t')}\n`;
        })
        .join(''),
    );
  const { flags, words } = readOptions(call, { flags: ['--search', '--'] });
  if (!flags.has('--search')) throw unmodelled(call, 'it shows all, or searches');
  const all = databaseOf(world).filter(isInstalled);
  const found = words.map((word) => {
    const path = word.replaceAll(/\\(?<char>.)/g, '$<char>');
    const owner = all.find((each) => filesOf(each).includes(path));
    return owner === undefined
      ? { error: `dpkg-query: no path found matching pattern ${word}\n` }
      : { line: `${nameOf(owner)}: ${path}\n` };
  });
  const stderr = found.map(({ error = '' }) => error).join('');
  return { exitCode: stderr === '' ? 0 : 1, stdout: found.map(({ line = '' }) => line).join(''), stderr };
}

function filesOf(paragraph: Paragraph): readonly string[] {
  return (paragraph.get('X-Files') ?? '').split(' ').filter(Boolean);
}

function dpkgDeb(call: ToolCall): Answered {
  const { words } = readOptions(call, { flags: ['--contents'] });
  const deb = debAt(call.world, words[0] ?? '');
  if (deb === undefined)
    return failed(
      2,
      `dpkg-deb: error: failed to read archive '${words[0] ?? ''}': No such file or directory`,
    );
  const lines = filesOf(deb).map((path) => `-rw-r--r-- root/root         9 2026-11-26 14:58 .${path}\n`);
  return ok(`drwxr-xr-x root/root         0 2026-11-26 14:58 ./\n${lines.join('')}`);
}

function debAt(world: World, path: string): Paragraph | undefined {
  return resolve(world, path, 'follow').found
    ? paragraphsIn(new TextDecoder().decode(readFile(world, path)))[0]
    : undefined;
}

function aptCache(call: ToolCall): Answered {
  const { words } = readOptions(call, { flags: ['--'], values: ['-o'] });
  if (words[0] !== 'show') throw unmodelled(call, 'it shows');
  const all = [...archives(call.world), ...databaseOf(call.world)];
  const shown = words.slice(1).flatMap((word) => {
    const [name, version] = word.split('=');
    return all.filter((each) => nameOf(each) === name && each.get('Version') === version);
  });
  return shown.length === 0 ? failed(100, 'E: No packages found') : ok(textOf(shown));
}

function marks(call: ToolCall): Answered {
  const [path = ''] = call.argv;
  if (path !== '/var/lib/apt/extended_states' || call.argv.length > 1)
    throw unmodelled(call, 'it shows the marks of apt');
  const text = call.world.packages.marks;
  return text === '' ? failed(1, `cat: ${path}: No such file or directory`) : ok(text);
}

function aptMark(call: ToolCall): Answered {
  const { world } = call;
  const [mark = '', ...names] = readOptions(call, { flags: ['--'] }).words;
  const auto = new Set(autoNames(world));
  const all = databaseOf(world);
  const installed = new Set(all.filter(isInstalled).map(nameOf));
  if (!['auto', 'manual', 'hold', 'unhold'].includes(mark) || names.some((name) => !installed.has(name)))
    throw unmodelled(call, 'it marks only installed packages');
  if (mark === 'auto' || mark === 'manual') {
    for (const name of names) auto[mark === 'auto' ? 'add' : 'delete'](name);
    writeAuto(world, auto);
    return ok();
  }
  const want = mark === 'hold' ? 'hold' : 'install';
  const marked = all.map((each) =>
    names.includes(nameOf(each))
      ? new Map([...each, ['Status', (each.get('Status') ?? '').replace(/^\w+/, want)]])
      : each,
  );
  writeDatabase(world, marked);
  return ok();
}

function download(call: ToolCall, directory: string): Answered {
  const { words } = readOptions(call, { flags: ['-qq', '--'], values: ['-o'] });
  for (const word of words.slice(1)) {
    const [name = '', version = ''] = word.split('=');
    const known = archives(call.world).find(
      (each) => nameOf(each) === name && each.get('Version') === version,
    );
    // In a plan the archives are those of the real host, which has reported that they have the
    // package.
    const found = known ?? (call.world.overlay === undefined ? undefined : planned(name, version));
    if (found === undefined) return failed(100, `E: Version '${version}' for '${name}' was not found`);
    writeDeb(call.world, directory, found);
  }
  return ok();
}

function planned(name: string, version: string): Paragraph {
  const [own = '', architecture = 'all'] = name.split(':');
  return new Map([
    ['Package', own],
    ['Version', version],
    ['Architecture', architecture],
  ]);
}

function repack(call: ToolCall, directory: string): Answered {
  const name = call.argv[0] ?? '';
  const found = databaseOf(call.world).find((each) => isInstalled(each) && nameOf(each) === name);
  // dpkg-repack exits with 0.
  if (found === undefined) return ok('', `dpkg-repack: warning: problems found processing ${name}\n`);
  writeDeb(call.world, directory, new Map([...found].filter(([key]) => key !== 'Status')));
  return ok();
}

function writeDeb(world: World, directory: string, paragraph: Paragraph): void {
  const [name, version, architecture] = ['Package', 'Version', 'Architecture'].map(
    (key) => paragraph.get(key) ?? '',
  );
  const file = `${name ?? ''}_${(version ?? '').replaceAll(':', '%3a')}_${architecture ?? ''}.deb`;
  const parent = reached(world, 'create', directory);
  if (inodeOf(parent.tree, parent.ino).entries?.has(file) === true)
    removeEntry(parent.tree, parent.ino, file);
  addInode(parent.tree, parent.ino, file, newFile(textOf([paragraph])));
}

interface Effect {
  readonly install: readonly Paragraph[];
  readonly remove: readonly string[];
}

function aptGet(call: ToolCall): Answered {
  const { world } = call;
  const { flags, words } = readOptions(call, {
    flags: ['--simulate', '-q', '-qq', '--yes', '--allow-downgrades', '--allow-change-held-packages', '--'],
    values: ['-o', '--error-on'],
  });
  if (words[0] === 'update') return update(call);
  if (words[0] !== 'install') throw unmodelled(call, 'it installs');
  const effect = effectOf(world, words.slice(1));
  if (typeof effect === 'string') return failed(100, `E: ${effect}`);
  if (flags.has('--simulate')) return ok(said(world, effect));
  take(world, effect);
  return ok('Reading package lists...\nBuilding dependency tree...\n');
}

/**
 * Reads the lists of one file. In a plan the real repository is not asked: each list is assumed to
 * have what the plan needs.
 */
function update(call: ToolCall): Answered {
  const { world, argv } = call;
  const file = argv.find((word) => word.startsWith('Dir::Etc::sourcelist='))?.split('=')[1];
  if (file === undefined) throw unmodelled(call, 'it reads the lists of one file');
  const text = new TextDecoder().decode(readFile(world, file));
  const key = /^Signed-By: (?<path>.*)$/m.exec(text)?.groups?.path ?? '';
  makeDir(world, listsDirectory, 0o755, true);
  const put = (name: string, content: string): void => {
    const parent = reached(world, 'create', listsDirectory);
    if (inodeOf(parent.tree, parent.ino).entries?.has(name) === true)
      removeEntry(parent.tree, parent.ino, name);
    addInode(parent.tree, parent.ino, name, newFile(content));
  };
  for (const { uris, suites, components } of parsedSources(text))
    for (const [uri, suite] of uris.flatMap((each) => suites.map((its) => [each, its] as const))) {
      const found = world.packages.repositories.get(uri);
      const start = prefixOf(uri, suite);
      if (world.overlay === undefined) {
        if (found === undefined)
          return failed(100, `E: Failed to fetch ${uri}/dists/${suite}/InRelease  Could not connect`);
        const isSigned =
          resolve(world, key, 'follow').found && new TextDecoder().decode(readFile(world, key)) === found.key;
        if (!isSigned) return failed(100, `E: The repository '${uri} ${suite} InRelease' is not signed.`);
      }
      put(`${start}InRelease`, '');
      for (const each of components.slice(0, 1))
        put(`${start}${each}_binary-amd64_Packages`, found?.archives ?? '');
    }
  settle(world, 'disk:vda');
  return ok();
}

function said(world: World, { install, remove }: Effect): string {
  const now = new Map(
    databaseOf(world)
      .filter(isInstalled)
      .map((each) => [nameOf(each), each.get('Version') ?? '']),
  );
  const text = (each: Paragraph): string =>
    `(${each.get('Version') ?? ''} localhost [${each.get('Architecture') ?? ''}])\n`;
  return [
    ...remove.map((name) => `Remv ${name} [${now.get(name) ?? ''}]\n`),
    ...install.map((each) => {
      const old = now.get(nameOf(each));
      return `Inst ${nameOf(each)}${old === undefined ? '' : ` [${old}]`} ${text(each)}`;
    }),
    ...install.map((each) => `Conf ${nameOf(each)} ${text(each)}`),
  ].join('');
}

/**
 * Returns what apt would do, or why it cannot. Dependencies are names; the newest version in an
 * archive is its last one.
 */
function effectOf(world: World, words: readonly string[]): Effect | string {
  const now = new Map(
    databaseOf(world)
      .filter(isInstalled)
      .map((each) => [nameOf(each), each]),
  );
  const install = new Map<string, Paragraph>();
  const remove = new Set<string>();
  const add = (found: Paragraph): void => {
    for (const name of dependencies(found))
      if (!now.has(name) && !install.has(name)) {
        const one = archives(world).findLast((each) => nameOf(each) === name);
        if (one !== undefined && !words.some((word) => word.startsWith('/'))) add(one);
      }
    if (now.get(nameOf(found))?.get('Version') !== found.get('Version')) install.set(nameOf(found), found);
  };
  for (const word of words) {
    if (word.endsWith('-')) {
      if (now.has(word.slice(0, -1))) remove.add(word.slice(0, -1));
      continue;
    }
    const [name, version] = word.split('=');
    const found = word.startsWith('/')
      ? debAt(world, word)
      : archives(world).findLast(
          (each) => nameOf(each) === name && (version ?? each.get('Version')) === each.get('Version'),
        );
    if (found === undefined)
      return version === undefined
        ? `Unable to locate package ${word}`
        : `Version '${version}' for '${name ?? ''}' was not found`;
    add(found);
  }
  const after = new Map([...now, ...install]);
  const conflicts = [...install.values()].flatMap((each) => list(each.get('Conflicts')));
  for (const name of [...remove, ...conflicts]) if (after.delete(name) && now.has(name)) remove.add(name);
  const broken = (): string | undefined =>
    [...after].find(([, each]) => dependencies(each).some((name) => !after.has(name)))?.[0];
  // In a plan the dependencies of packages that the real apt has chosen are unknown.
  if (world.overlay === undefined)
    for (let name = broken(); name !== undefined; name = broken()) {
      if (install.has(name)) return 'Unable to correct problems, you have held broken packages.';
      after.delete(name);
      remove.add(name);
    }
  return { install: [...install.values()], remove: [...remove] };
}

function dependencies(paragraph: Paragraph): readonly string[] {
  return paragraph.has('Depends') && paragraph.has('X-Simulated') ? list(paragraph.get('Depends')) : [];
}

function list(field: string | undefined): readonly string[] {
  return (field ?? '').split(/, */).filter(Boolean);
}

/**
 * Changes the packages. In the model dpkg is never interrupted between two packages: the container
 * tests kill the real one there.
 */
function take(world: World, { install, remove }: Effect): void {
  const auto = new Set(autoNames(world));
  const all = new Map(databaseOf(world).map((each) => [nameOf(each), each]));
  for (const name of remove) {
    const each = all.get(name);
    if (each?.has('Conffiles') === true)
      all.set(name, new Map([...each, ['Status', 'deinstall ok config-files']]));
    else all.delete(name);
    auto.delete(name);
  }
  for (const each of install) {
    const hold = all.get(nameOf(each))?.get('Status')?.startsWith('hold ') === true ? 'hold' : 'install';
    const kept = [...each].filter(([key]) => !['Package', 'Filename', 'Size', 'Status'].includes(key));
    all.set(
      nameOf(each),
      new Map([['Package', each.get('Package') ?? ''], ['Status', `${hold} ok installed`], ...kept]),
    );
    // A package that is named by its file is no longer automatic.
    auto.delete(nameOf(each));
  }
  writeDatabase(world, [...all.values()]);
  writeAuto(world, auto);
}

function dpkg(call: ToolCall): Answered {
  const { world } = call;
  const { flags, words } = readOptions(call, {
    flags: [
      ...['--audit', '--configure', '--pending', '--purge', '--unpack', '--verify', '--'],
      ...['--force-confold', '--force-depends', '--force-remove-reinstreq'],
    ],
  });
  // In the model packages have no configuration files.
  if (flags.has('--verify')) return ok();
  const all = databaseOf(world);
  const half = (each: Paragraph): boolean =>
    !/ (?:installed|config-files|not-installed)$/.test(each.get('Status') ?? '');
  if (flags.has('--audit'))
    return ok(
      all
        .filter(half)
        .map((each) => `The following packages are only half configured:\n ${nameOf(each)}\n`)
        .join(''),
    );
  if (flags.has('--configure')) {
    const done = all.map((each) =>
      half(each)
        ? new Map([...each, ['Status', (each.get('Status') ?? '').replace(/\S+$/, 'installed')]])
        : each,
    );
    if (all.some(half)) writeDatabase(world, done);
    return ok();
  }
  if (!flags.has('--purge')) throw unmodelled(call, 'the model has no package that is half there');
  writeDatabase(
    world,
    all.filter((each) => !words.includes(nameOf(each))),
  );
  return ok();
}
