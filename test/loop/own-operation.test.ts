import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtCommand } from '../unit/cli/support/built.ts';

let work = '';
let command = '';
beforeAll(async () => {
  work = realpathSync(mkdtempSync(join(tmpdir(), 'bofh-own-')));
  command = await builtCommand();
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** The file of an operation: a record is a file with the mark of its step. */
const source = `import { operation } from 'bofh';

const any = { '~standard': { version: 1, vendor: 'acme', validate: (value) => ({ value }) } };
export const record = operation({
  kind: 'acme.record',
  version: 1,
  args: any,
  undo: any,
  result: any,
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { path }, mark }) => ({ path, mark }),
  claims: ({ undo: { path } }) => ({ makes: ['file:' + path] }),
  run: async ({ undo: { path, mark }, host }) => {
    await host.writeNew(path, mark, { mode: 0o600 });
    return null;
  },
  value: ({ undo: { path } }) => ({ path }),
  look: async ({ undo: { path, mark }, host }) => {
    if ((await host.stat(path)) === undefined) return { state: 'gone' };
    const text = new TextDecoder().decode(await host.readFile(path));
    return text === mark ? { state: 'ours' } : { state: 'not-ours', found: path };
  },
  revert: async ({ undo: { path }, host }) => host.removeFile(path),
  sync: async ({ undo: { path }, host }) => host.sync(path.replace(/\\/[^/]*$/, '')),
});
`;

describe.skipIf(process.getuid?.() !== 0)('an operation of the site file', () => {
  it('is undone by bofh recover after a SIGKILL, and named where it is not registered', async () => {
    const at = (name: string): string => join(work, name);
    const [state, path] = [at('state'), at('record')];
    writeFileSync(at('record.ts'), source);
    writeFileSync(
      at('site.ts'),
      `import { defineSite } from 'bofh';\nimport { record } from './record.ts';\nexport default defineSite({ operations: [record] });\n`,
    );
    writeFileSync(at('empty.ts'), `import { defineSite } from 'bofh';\nexport default defineSite({});\n`);
    writeFileSync(
      at('script.ts'),
      `import { atomic } from 'bofh';
import { record } from './record.ts';
await atomic('records', async (tx) => {
  await tx.step(record, { path: '${path}' });
  process.kill(process.pid, 'SIGKILL');
  await new Promise(() => setTimeout(() => undefined, 60_000));
});
`,
    );
    const env = { ...process.env, BOFH_STATE_DIR: state };
    const bofh = (site: string, ...args: readonly string[]) =>
      spawnSync(command, args, { env: { ...env, BOFH_SITE: at(site) }, encoding: 'utf8' });

    const script = spawn(command, ['run', at('script.ts')], { env, stdio: 'ignore' });
    const signal = await new Promise((resolve) => script.on('exit', (_code, by) => resolve(by)));
    expect(signal).toBe('SIGKILL');
    expect(readFileSync(path, 'utf8')).toMatch(/^bofh\./);

    const unknown = bofh('empty.ts', '--yes', 'recover');
    expect(unknown.stdout + unknown.stderr).toContain('"acme.record" version 1');
    expect(unknown.stdout + unknown.stderr).toContain('defineSite({ operations: […] })');
    expect(unknown.status).not.toBe(0);
    expect(existsSync(path)).toBe(true);

    const done = bofh('site.ts', '--yes', 'recover');
    expect(done.stderr).not.toContain('acme.record');
    expect(done.status).toBe(0);
    expect(existsSync(path)).toBe(false);
  });
});
