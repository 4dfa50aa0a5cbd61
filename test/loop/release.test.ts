import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect, defineHost, provision, type HostBuilder, withBofh } from '../../src/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { sh, storage } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let root: string;
let repository: string;

beforeEach(() => {
  disk = storage();
  root = disk.makeDir('root');
  chmodSync(disk.path('.'), 0o755);
  repository = disk.makeDir('repository');
  git('init', '-q');
  commit('1.0', { 'app.txt': 'one\n' });
});
afterEach(() => disk.clean());

const git = (...args: readonly string[]): string =>
  execFileSync('git', ['-C', repository, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
    encoding: 'utf8',
  });

/** A commit with these files and a tag. */
function commit(tag: string, files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(repository, name), text);
  git('add', '-A');
  git('commit', '-qm', tag);
  git('tag', tag);
  return git('rev-parse', 'HEAD').trim();
}

const apply = (describe: (h: HostBuilder) => void) =>
  withBofh(connect({ stateDir: disk.path('state') }), () => provision.apply(defineHost(describe)));
const shop = (): string => join(root, 'shop');
const current = (name: string): string => readFileSync(join(shop(), 'current', name), 'utf8');
const releases = (): readonly string[] => readdirSync(join(shop(), 'releases')).toSorted();
const tree = (): string => sh('find', root, '-printf', '%P %y %U:%G %m %l %s\n');

/** Serves the files of a directory on 127.0.0.1. */
async function serve(directory: string): Promise<{ readonly port: number; readonly close: () => void }> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const path = join(directory, pathname);
    const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() === true;
    response.writeHead(isFile ? 200 : 404).end(isFile ? readFileSync(path) : undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

describe.skipIf(process.getuid?.() !== 0)('a release', () => {
  it('of a tag is built in its directory and used through the link; the next one keeps it, and an older revision changes only the link', async () => {
    const build = 'pwd > where; echo built >> app.txt';
    const describe = (revision: string) => (h: HostBuilder) =>
      void h.release(shop(), { git: repository, revision, build });
    await apply(describe('1.0'));
    expect(current('app.txt')).toBe('one\nbuilt\n');
    expect(current('where')).toBe(`${join(shop(), readlinkSync(join(shop(), 'current')))}\n`);
    expect(current('.bofh-release')).toBe(`complete ${git('rev-parse', 'HEAD')}`);
    expect(existsSync(join(shop(), 'current/.git'))).toBe(false);
    const first = tree();
    expect(await apply(describe('1.0'))).toEqual([]);

    commit('2.0', { 'app.txt': 'two\n' });
    await apply(describe('2.0'));
    expect(current('app.txt')).toBe('two\nbuilt\n');
    expect(releases()).toHaveLength(2);

    expect((await apply(describe('1.0'))).map(({ kind }) => kind)).toEqual(['link']);
    expect(tree()).toContain(first.split('\n').find((line) => line.includes('current')));
  });

  it.each(['commit', 'tag'])('of a %s from a plain HTTP server has its submodules', async (by) => {
    const served = disk.makeDir('served');
    const server = await serve(served);
    try {
      const url = `http://127.0.0.1:${String(server.port)}`;
      const inner = disk.makeDir('inner');
      sh('git', '-C', inner, 'init', '-q');
      writeFileSync(join(inner, 'part.txt'), 'part\n');
      sh('git', '-C', inner, 'add', '-A');
      sh('git', '-C', inner, '-c', 'user.name=t', '-c', 'user.email=t@example.org', 'commit', '-qm', 'part');
      const publish = (from: string, to: string): void => {
        sh('git', 'clone', '-q', '--mirror', from, join(served, to));
        sh('git', '-C', join(served, to), 'update-server-info');
      };
      publish(inner, 'inner.git');
      git('-c', 'protocol.file.allow=always', 'submodule', '-q', 'add', inner, 'parts');
      git('config', '-f', '.gitmodules', 'submodule.parts.url', `${url}/inner.git`);
      const revision = commit('2.0', {});
      commit('3.0', { 'app.txt': 'three\n' });
      publish(repository, 'shop.git');
      await apply(
        (h) => void h.release(shop(), { git: `${url}/shop.git`, revision: by === 'tag' ? '2.0' : revision }),
      );
    } finally {
      server.close();
    }
    expect(current('app.txt')).toBe('one\n');
    expect(current('parts/part.txt')).toBe('part\n');
    expect(existsSync(join(shop(), 'current/parts/.git'))).toBe(false);
  });

  it.each([
    ['the directory', ['--directory', '.', 'repository/app.txt', 'repository/.dot'], 'app.txt'],
    ['more than one entry', ['--directory', 'repository', 'app.txt', '.dot'], 'app.txt'],
  ])('of an archive with %s has its files', async (_, words, name) => {
    commit('2.0', { '.dot': 'dot\n' });
    const archive = disk.path('shop-2.0.tar.gz');
    sh('tar', '-czf', archive, '--directory', disk.path('.'), ...words);
    const sha256 = createHash('sha256').update(readFileSync(archive)).digest('hex');
    await apply((h) => void h.release(shop(), { archive: `file://${archive}`, sha256 }));
    expect(current(name)).toBe('one\n');
    expect(current('.dot')).toBe('dot\n');
    expect(releases()[0]).toMatch(/^shop-2\.0-[\da-f]{8}$/);

    const before = tree();
    const wrong = sha256.replaceAll(/./g, 'a');
    const error = await rejectionOf(
      apply((h) => void h.release(shop(), { archive: `file://${archive}`, sha256: wrong })),
    );
    expect(String(error)).toContain(`the archive has the checksum ${sha256}`);
    expect(tree()).toBe(before);
  });

  it.each([
    ['its build', { build: 'echo half > half; echo no compiler >&2; exit 1' }, 'no compiler'],
    ['a program that its build lacks', { build: 'bofh-no-such-program' }, 'exit 127; it said last: '],
    ['its time', { build: 'sleep 60', seconds: 1 }, ''],
    ['a tag that is missing', { revision: '9.9' }, 'has no tag 9.9'],
    ['a user that is missing', { user: 'bofh-nobody' }, 'describe the user bofh-nobody before'],
  ])('that fails for %s leaves the host as before', async (_, more, said) => {
    await apply((h) => void h.release(shop(), { git: repository, revision: '1.0' }));
    const before = tree();
    commit('2.0', { 'app.txt': 'two\n' });
    const error = await rejectionOf(
      apply((h) => {
        h.file(join(root, 'conf'), { content: '' });
        h.release(shop(), { git: repository, revision: '2.0', ...more });
      }),
    );
    expect(String(error)).toContain(said);
    // Nor the whole text of the script.
    expect(String(error)).not.toContain('umask');
    expect(tree()).toBe(before);
  });

  it('is removed when a later step fails, without files that others wrote into it', async () => {
    const wrong = (h: HostBuilder, run: string): void => {
      h.directory(shop());
      h.release(shop(), { git: repository, revision: '1.0' });
      h.script('late', { isDone: ['test', '-e', join(root, 'never')], run: `${run}; exit 1`, undo: 'true' });
    };
    const before = tree();
    await rejectionOf(
      apply((h) => wrong(h, `mkdir ${shop()}/current/__pycache__; echo > ${shop()}/current/__pycache__/a`)),
    );
    expect(tree()).toBe(before);

    await rejectionOf(apply((h) => wrong(h, `echo order 1 > ${shop()}/current/orders`)));
    expect(releases().filter((name) => !name.startsWith('.kept-'))).toEqual([]);
    expect(readFileSync(join(shop(), 'releases', releases()[0] ?? '', 'orders'), 'utf8')).toBe('order 1\n');
  });

  it('leaves alone a directory of others under its name', async () => {
    await apply((h) => void h.release(shop(), { git: repository, revision: '1.0' }));
    const [name = ''] = releases();
    const path = join(shop(), 'releases', name);
    // A plan that read a pipe would wait for ever.
    sh('rm', join(path, '.bofh-release'));
    sh('mkfifo', join(path, '.bofh-release'));
    writeFileSync(join(path, 'data'), 'of others');
    const before = tree();
    const error = await rejectionOf(
      apply((h) => void h.release(shop(), { git: repository, revision: '1.0' })),
    );
    expect(String(error)).toContain(`${path} exists, and no release is complete in it`);
    expect(tree()).toBe(before);
  });

  it('keeps the given number, and never removes anything else', async () => {
    mkdirSync(join(shop(), 'releases'), { recursive: true });
    mkdirSync(join(shop(), 'releases/by-hand'));
    mkdirSync(join(shop(), 'releases/by-hand\nby-hand'));
    writeFileSync(join(shop(), 'releases/by-hand\nby-hand/.bofh-release'), 'complete');
    for (const tag of ['2', '3', '4', '5']) {
      commit(tag, { 'app.txt': tag });
      await apply((h) => void h.release(shop(), { git: repository, revision: tag, keep: 2 }));
    }
    expect(releases().map((name) => name.replace(/-[\da-f]{8}$/, ''))).toEqual([
      '4',
      '5',
      'by-hand',
      'by-hand\nby-hand',
    ]);
    expect(current('app.txt')).toBe('5');
  });

  it('is built by its user, who owns it', async () => {
    const build = ['/bin/sh', '-c', 'id -un > who; env > environment'];
    await apply((h) => void h.release(shop(), { git: repository, revision: '1.0', user: 'nobody', build }));
    expect(current('who')).toBe('nobody\n');
    expect(current('environment')).not.toContain('BOFH');
    expect(sh('stat', '-c', '%U:%G', `${shop()}/current/app.txt`)).toBe('nobody:nogroup\n');
    expect(sh('stat', '-c', '%U:%G', `${shop()}/current/`)).toBe('nobody:nogroup\n');
  });

  it('has a Python environment whose programs name it, and npm modules', async () => {
    const wheel = 'greeting-1.0-py3-none-any.whl';
    const python = `
import zipfile
with zipfile.ZipFile('${wheel}', 'w') as z:
    z.writestr('greeting.py', 'def main():\\n    print("hello")\\n')
    z.writestr('greeting-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: greeting\\nVersion: 1.0\\n')
    z.writestr('greeting-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    z.writestr('greeting-1.0.dist-info/entry_points.txt', '[console_scripts]\\ngreet = greeting:main\\n')
    z.writestr('greeting-1.0.dist-info/RECORD', '')
`;
    execFileSync('python3', ['-c', python], { cwd: repository });
    mkdirSync(join(repository, 'part'));
    const lock = {
      ...{ name: 'shop', version: '1.0.0', lockfileVersion: 3 },
      packages: {
        '': { name: 'shop', version: '1.0.0', dependencies: { part: 'file:part' } },
        'node_modules/part': { resolved: 'part', link: true },
        part: { version: '1.0.0' },
      },
    };
    commit('2.0', {
      'requirements.txt': 'greeting==1.0\n',
      'package.json': JSON.stringify({ name: 'shop', version: '1.0.0', dependencies: { part: 'file:part' } }),
      'package-lock.json': JSON.stringify(lock),
      'part/package.json': JSON.stringify({ name: 'part', version: '1.0.0', main: 'index.js' }),
      'part/index.js': "module.exports = 'part';\n",
    });
    const build = `python3 -m venv .venv
.venv/bin/pip install -q --no-index --find-links . -r requirements.txt
npm ci --offline --no-audit --no-fund`;
    await apply((h) => void h.release(shop(), { git: repository, revision: '2.0', build }));
    expect(sh(`${shop()}/current/.venv/bin/greet`)).toBe('hello\n');
    expect(sh('node', '-p', `require('${shop()}/current/node_modules/part')`)).toBe('part\n');
  });
});
