import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtCommand } from '../unit/cli/support/built.ts';

const has = process.getuid?.() === 0 && spawnSync('mmdebstrap', ['--version']).status === 0;
const required = process.env['BOFH_REQUIRE'] === 'all';
const nowhere = 'http://127.0.0.1:9/debian';

let work = '';
let command = '';
beforeAll(async () => {
  work = realpathSync(mkdtempSync(join(tmpdir(), 'bofh-debian-')));
  // apt downloads as another user.
  chmodSync(work, 0o711);
  command = await builtCommand();
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** A script that installs a Debian into `debian.tar`. */
function script(args: string): string {
  const file = join(work, 'script.ts');
  writeFileSync(
    file,
    `import { atomic } from 'bofh';
await atomic('debian', (tx) => tx.copy.debian({ ${args}, file: '${join(work, 'debian.tar')}' }));
`,
  );
  return file;
}

const words = (...args: readonly string[]) => [command, '--state-dir', join(work, 'state'), ...args];
const bofh = (...args: readonly string[]) =>
  spawnSync(process.execPath, words(...args), { encoding: 'utf8', timeout: 300_000 });
const left = () => readdirSync(work).filter((name) => !['state', 'script.ts'].includes(name));

describe.skipIf(!has && !required)('tx.copy.debian with mmdebstrap', () => {
  it('leaves nothing behind if the mirror cannot be reached, and prints what apt said', () => {
    const { status, stderr } = bofh('run', script(`suite: 'bookworm', mirror: '${nowhere}'`));

    expect([status, stderr]).toEqual([
      5,
      expect.stringContaining('exit 25: E: Failed to fetch http://127.0.0.1:9'),
    ]);
    expect(left()).toEqual([]);
  });

  it('refuses missing keys', () => {
    const { stderr } = bofh('run', script(`suite: 'bookworm', keyring: '${join(work, 'none.gpg')}'`));

    expect(stderr).toContain('none.gpg, which should have the keys of the mirror');
    expect(left()).toEqual([]);
  });

  it('is stopped and undone by recovery after a kill: no file, no directory, no mount', async () => {
    // A port that takes the connection and never answers.
    const server = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { readonly port: number };
    const args = `suite: 'bookworm', mirror: 'http://127.0.0.1:${String(port)}/debian'`;
    const child = spawn(process.execPath, words('run', script(args)), { stdio: 'ignore' });
    try {
      await once(server, 'connection');
      expect(left().filter((name) => name.endsWith('.d'))).toHaveLength(1);
      child.kill('SIGKILL');
      await once(child, 'close');

      const { status, stdout } = bofh('recover', '--yes');

      expect([status, stdout]).toEqual([0, expect.stringMatching(/undone +debian/)]);
      expect(left()).toEqual([]);
      expect(
        spawnSync('findmnt', ['--noheadings', '--output', 'TARGET'], { encoding: 'utf8' }).stdout,
      ).not.toContain(work);
    } finally {
      child.kill('SIGKILL');
      server.close();
    }
  });
});
