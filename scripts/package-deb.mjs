// `npm run package:deb -- [DIRECTORY]`: a Debian package for each release, in dist-deb/ or DIRECTORY.
// With --apt-repository DIR --key KEY it also adds them to an APT repository, signed with that gpg key.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { ensurePackages, otherNode, root, say } from './lib/setup.mjs';

/** Debian 12 has Node 18, which is too old: its package contains Node's own build, unchanged. */
const releases = [
  {
    number: 12,
    suite: 'bookworm',
    architecture: 'amd64',
    node: '/usr/lib/bofh/node',
    // What `readelf --version-info` of that build shows.
    depends: 'libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 7)',
  },
  {
    number: 13,
    suite: 'trixie',
    architecture: 'all',
    node: '/usr/bin/node',
    depends: 'nodejs (>= 20.19)',
  },
];
const bundledNode = '24';

/** Every Debian system has them (`Essential: yes`). */
const essential = [
  'bsdutils',
  'coreutils',
  'dash',
  'dpkg',
  'findutils',
  'libc-bin',
  'perl-base',
  'tar',
  'util-linux',
];

const { values: options, positionals } = parseArgs({
  options: { 'apt-repository': { type: 'string' }, key: { type: 'string' } },
  allowPositionals: true,
});
const repository = options['apt-repository'];
if (positionals.length > 1 || (repository === undefined) !== (options.key === undefined)) {
  say('usage: npm run package:deb -- [DIRECTORY] [--apt-repository DIRECTORY --key KEY]');
  process.exit(2);
}
const out = resolve(positionals[0] ?? join(root, 'dist-deb'));
const { version } = JSON.parse(textOf('package.json'));
const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? lastChange());
const maintainer = `${process.env.DEBFULLNAME ?? 'The bofh authors'} <${process.env.DEBEMAIL ?? 'bofh@example.org'}>`;
await import('./lib/typescript.mjs');
const { bootUnits, withoutHeader } = await import('../src/cli/verbs/boot/units.ts');
const { tools } = await import('../src/command/tools.ts');
const recommended = [...new Set(['openssh-client', ...Object.values(tools).map((tool) => tool.package)])]
  .filter((name) => !essential.includes(name))
  .sort();

const work = mkdtempSync(join(tmpdir(), 'bofh-deb-'));
try {
  const dist = join(work, 'dist');
  run(process.execPath, [join(root, 'scripts/build.mjs'), '--out', dist]);
  mkdirSync(out, { recursive: true });
  const made = releases.map((release) => ({ ...release, file: packageFor(release, dist) }));
  if (repository !== undefined) publish(made, resolve(repository), options.key);
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** The path of the package for that release. */
function packageFor(release, dist) {
  const full = `${version}+deb${release.number}`;
  const stage = join(work, release.suite);
  const put = (path, content) => {
    mkdirSync(dirname(join(stage, path)), { recursive: true });
    writeFileSync(join(stage, path), content);
  };
  const copy = (from, path) => {
    mkdirSync(dirname(join(stage, path)), { recursive: true });
    cpSync(resolve(root, from), join(stage, path), { recursive: true });
  };
  const library = 'usr/lib/bofh';
  const pages = 'usr/share/doc/bofh';

  copy(dist, `${library}/dist`);
  for (const name of ['man', 'generations.json', 'THIRD-PARTY-NOTICES.txt'])
    rmSync(join(stage, library, 'dist', name), { recursive: true });
  const command = `${library}/dist/bofh.cjs`;
  put(command, readFileSync(join(dist, 'bofh.cjs'), 'utf8').replace(/^#!.*/, `#!${release.node}`));
  // "bofh init" replaces an unchanged site file: it compares it with this one.
  for (const name of ['package.json', 'systemd', 'site-specific.ts']) copy(name, `${library}/${name}`);
  const notices = readFileSync(join(dist, 'THIRD-PARTY-NOTICES.txt'), 'utf8');
  const licences = [textOf('LICENSE'), `/${library}/dist:\n\n${notices}`];
  if (release.number === 12) {
    const node = otherNode(bundledNode);
    if (node === undefined) throw new Error('Node for Debian 12 could not be downloaded');
    copy(node, `${library}/node`);
    licences.push(`/${library}/node is Node.js:\n\n${readFileSync(join(node, '../../LICENSE'), 'utf8')}`);
  }
  mkdirSync(join(stage, 'usr/bin'), { recursive: true });
  symlinkSync('../lib/bofh/dist/bofh.cjs', join(stage, 'usr/bin/bofh'));

  for (const { name, content } of bootUnits([release.node, `/${command}`], '/var/lib/bofh'))
    put(`usr/lib/systemd/system/${name}`, withoutHeader(content));
  for (const [shell, path] of [
    ['bash', 'bash-completion/completions/bofh'],
    ['zsh', 'zsh/vendor-completions/_bofh'],
    ['fish', 'fish/vendor_completions.d/bofh.fish'],
  ])
    put(`usr/share/${path}`, run(process.execPath, [join(dist, 'bofh.cjs'), 'completion', shell]));
  for (const name of readdirSync(join(dist, 'man/man1')))
    put(`usr/share/man/man1/${name}.gz`, gzip(readFileSync(join(dist, 'man/man1', name))));
  copy('site-specific.ts', 'etc/bofh/site-specific.ts');
  for (const name of ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'docs', 'examples', 'site-specific.ts'])
    copy(name, `${pages}/${name}`);
  put(`${pages}/copyright`, licences.join('\n\n'));
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  put(
    `${pages}/changelog.gz`,
    gzip(
      `bofh (${full}) ${release.suite}; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- ${maintainer}  ${date}\n`,
    ),
  );

  const overrides = `packaging/lintian-overrides${release.number === 12 ? '.node' : ''}`;
  copy(overrides, 'usr/share/lintian/overrides/bofh');

  const files = setModes(stage, [command, `${library}/node`]);
  const kilobytes = files.reduce((sum, file) => sum + Math.ceil(statSync(join(stage, file)).size / 1024), 0);
  const digests = files.map((file) => `${md5(readFileSync(join(stage, file)))}  ${file}\n`);
  const fields = {
    VERSION: full,
    ARCHITECTURE: release.architecture,
    MAINTAINER: maintainer,
    INSTALLED_SIZE: kilobytes,
    DEPENDS: release.depends,
    RECOMMENDS: recommended.join(', '),
  };
  for (const name of ['control', 'preinst', 'postinst', 'prerm', 'postrm'])
    put(
      `DEBIAN/${name}`,
      textOf(`packaging/${name}`).replaceAll(/@([A-Z_]+)@/g, (_, field) => fields[field]),
    );
  put('DEBIAN/conffiles', '/etc/bofh/site-specific.ts\n');
  put('DEBIAN/md5sums', digests.join(''));
  setModes(join(stage, 'DEBIAN'), ['preinst', 'postinst', 'prerm', 'postrm']);

  const file = join(out, `bofh_${full}_${release.architecture}.deb`);
  run('dpkg-deb', ['--root-owner-group', '--build', stage, file]);
  say(file);
  return file;
}

/** Adds the packages to the repository, beside those of other versions, and signs its lists. */
function publish(made, at, key) {
  const lacking = ensurePackages(['apt-utils', 'gpg'], 'the lists of an APT repository');
  if (lacking !== undefined) throw new Error(lacking);
  for (const { suite, file } of made) {
    const pool = `pool/${suite}`;
    const lists = `dists/${suite}`;
    const binary = `${lists}/main/binary-amd64`;
    for (const path of [pool, binary]) mkdirSync(join(at, path), { recursive: true });
    copyFileSync(file, join(at, pool, basename(file)));
    const packages = run('apt-ftparchive', ['packages', pool], at);
    writeFileSync(join(at, binary, 'Packages'), packages);
    writeFileSync(join(at, binary, 'Packages.gz'), gzip(packages));
    for (const name of ['Release', 'InRelease']) rmSync(join(at, lists, name), { force: true });
    const about = { Origin: 'bofh', Codename: suite, Architectures: 'amd64', Components: 'main' };
    const set = Object.entries(about).flatMap(([name, value]) => [
      '-o',
      `APT::FTPArchive::Release::${name}=${value}`,
    ]);
    writeFileSync(join(at, lists, 'Release'), run('apt-ftparchive', [...set, 'release', lists], at));
    const signed = ['--output', `${lists}/InRelease`, '--clearsign', `${lists}/Release`];
    run('gpg', ['--batch', '--yes', '--local-user', key, ...signed], at);
  }
  run('gpg', ['--batch', '--yes', '--output', 'bofh.gpg', '--export', key], at);
  say(`${at}: its public key is bofh.gpg`);
}

/** Directories and files are readable by all, writable by root. The paths of the files, sorted. */
function setModes(top, executable) {
  const files = [];
  for (const entry of readdirSync(top, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(top.length + 1);
    if (entry.isSymbolicLink()) continue;
    if (entry.isFile()) files.push(path);
    chmodSync(join(top, path), entry.isDirectory() || executable.includes(path) ? 0o755 : 0o644);
  }
  chmodSync(top, 0o755);
  return files.sort();
}

function textOf(path) {
  return readFileSync(join(root, path), 'utf8');
}

function md5(bytes) {
  return createHash('md5').update(bytes).digest('hex');
}

function gzip(bytes) {
  return gzipSync(bytes, { level: 9 });
}

/** The time of the commit, so that two builds of it are the same; without git that of package.json. */
function lastChange() {
  const git = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' });
  return git.status === 0 ? git.stdout : Math.floor(statSync(join(root, 'package.json')).mtimeMs / 1000);
}

function run(program, args, cwd = root) {
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(epoch) };
  const done = spawnSync(program, args, { cwd, env, encoding: 'utf8', maxBuffer: 64 << 20 });
  if (done.status !== 0)
    throw new Error(`${program} failed: ${done.stderr ?? done.error?.message}${done.stdout}`);
  return done.stdout;
}
