import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { failure, journalList, plan } from '../../../src/cli/output/answers/index.ts';
import { bofh, builtCommand, type Ended, run as runProgram, type Start } from './support/built.ts';
import { containing } from './support/containing.ts';

const root = process.getuid?.() === 0;

let work = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-run-'));
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(work, name);
  writeFileSync(path, text);
  return path;
}

function run(args: readonly string[], start: Start = {}): Promise<Ended> {
  return bofh(
    ['run', '--state-dir', join(work, 'state'), '--site', write('site.json', '{}'), ...args],
    start,
  );
}

/** A sequence that makes a file, and then does what `then` says. */
function making(then: string): string {
  return `import { atomic } from 'bofh';
    await atomic('a file', async (tx) => {
      await tx.file.create({ path: ${JSON.stringify(join(work, 'made'))}, content: 'x', mode: 0o644 });
      ${then}
    });
    console.log('after');`;
}

describe('a script', () => {
  it('that locks more objects than files can be open is refused with the limit', async () => {
    const keys = `Array.from({ length: 200 }, (_, n) => 'test:${work}' + n)`;
    const script = write(
      'a.ts',
      `import { atomic } from 'bofh'; await atomic('many', (tx) => tx.reserve({ changes: ${keys} }));`,
    );
    const words = [process.execPath, await builtCommand(), 'run', '--state-dir', join(work, 'state'), script];
    const { stderr } = await runProgram('sh', ['-c', 'ulimit -n 128; exec "$@"', 'sh', ...words]);
    expect(stderr).toMatch(/EMFILE[^]*next: raise the limit of open files: ulimit -n 65536/);
  });

  it.runIf(root)('that needs a reserved object is refused, with the sequence that reserved it', async () => {
    const reserve = `await tx.reserve({ changes: ['test:${work}'] });`;
    const first = `${reserve} await tx.file.create({ path: ${JSON.stringify(join(work, 'made'))}, content: 'x' });`;
    const whole = (body: string) =>
      `import { atomic } from 'bofh'; await atomic('reserving', async (tx) => { ${body} });`;
    const second = write('b.ts', whole(reserve));
    const again = [await builtCommand(), 'run', '--state-dir', join(work, 'state'), second];
    const start = `const { execFileSync } = await import('node:child_process');
      try { execFileSync(process.execPath, ${JSON.stringify(again)}, { stdio: 'pipe' }); }
      catch (error) { console.log(String(error.stderr)); }`;
    const { stdout } = await run([write('a.ts', whole(`${first} ${start}`))]);
    expect(stdout).toMatch(/test:.* is in use by sequence [0-9a-f]+ "reserving" \(pid \d+: /);
  });

  it('with a name that bofh does not export is refused with its line, before it runs', async () => {
    const script = write(
      'a.ts',
      `console.log('begun');\nimport { atomc, type Tx } from 'bofh';\nconsole.log(atomc);`,
    );
    const { exitCode, stdout, stderr } = await run([script]);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`${script}:3: bofh does not export "atomc"`);
    expect(stderr).toContain('did you mean atomic?');
  });

  it('is TypeScript with imports of bofh and of its neighbours, `await using`, and top-level await', async () => {
    write('lib.ts', `export enum Kind { a = 'A' }\nexport const twice = (n: number): number => 2 * n;`);
    const script = write(
      'a.ts',
      `import { parseSize, currentBofh } from 'bofh';
       import { AtomicOperationSequence } from 'bofh/atomic';
       import { simulatedHost } from 'bofh/testing';
       import { twice, Kind } from './lib.ts';
       async function inner(): Promise<void> {
         await using late = { [Symbol.asyncDispose]: async () => console.log('disposed') };
         using now = { [Symbol.dispose]: () => console.log('disposed at once') };
         console.log('inside');
       }
       await inner();
       const size = await Promise.resolve(parseSize('1k'));
       console.log(twice(size satisfies number), Kind.a, typeof AtomicOperationSequence, typeof simulatedHost);
       console.log(currentBofh().stateDir, import.meta.filename, JSON.stringify(process.argv.slice(2)));`,
    );

    const { exitCode, stdout, stderr } = await run([script, '--json', 'b c']);

    expect(stderr).toBe('');
    expect(stdout.split('\n')).toEqual([
      'inside',
      'disposed at once',
      'disposed',
      '2048 A function function',
      `${join(work, 'state')} ${script} ["--json","b c"]`,
      '',
    ]);
    expect(exitCode).toBe(0);
  });

  it.each(['mjs', 'js', 'mts'])('may be a .%s', async (extension) => {
    const script = write(
      `a.${extension}`,
      `import { parseSize } from 'bofh';\nconsole.log(parseSize('1k'));`,
    );

    expect(await run([script])).toMatchObject({ exitCode: 0, stdout: '1024\n' });
  });

  it('gets the running bofh also where another one is installed', async () => {
    mkdirSync(join(work, 'node_modules/bofh'), { recursive: true });
    write('node_modules/bofh/package.json', '{"name":"bofh","main":"index.js"}');
    write('node_modules/bofh/index.js', 'exports.parseSize = () => "the other one";');
    const script = write('a.ts', `import { parseSize } from 'bofh';\nconsole.log(parseSize('1k'));`);

    expect((await run([script])).stdout).toBe('1024\n');
  });

  it('may use installed packages', async () => {
    mkdirSync(join(work, 'node_modules/left'), { recursive: true });
    write('node_modules/left/package.json', '{"name":"left","type":"module","exports":"./index.js"}');
    write('node_modules/left/index.js', 'export const left = 1;');
    const script = write('a.ts', `import { left } from 'left';\nconsole.log(left);`);

    expect((await run([script])).stdout).toBe('1\n');
  });

  it('ends when all its tasks have ended', async () => {
    const script = write('a.ts', `setTimeout(() => console.log('late'), 50);\nconsole.log('early');`);

    expect(await run([script])).toMatchObject({ exitCode: 0, stdout: 'early\nlate\n' });
  });

  it.each(['mjs', 'ts', 'js'])(
    'as .%s that throws runs once, and its own line is named: exit 1',
    async (extension) => {
      const script = write(
        `a.${extension}`,
        `import { parseSize } from 'bofh';\n\nconsole.log('once', parseSize('1k'));\n\nfunction f() {\n  throw new Error('no disk');\n}\nf();\n`,
      );

      const { exitCode, stdout, stderr } = await run([script]);

      expect(exitCode).toBe(1);
      expect(stdout).toBe('once 1024\n');
      expect(stderr).toContain(`the script ${script} failed: Error: no disk`);
      expect(stderr).toContain(`${script}:6`);
      expect(stderr).toContain(`${script}:8`);
    },
  );

  it('whose import throws names that file, and runs it once', async () => {
    const lib = write('lib.mjs', `console.log('lib');\n\nthrow new Error('in lib');\n`);
    const script = write('a.ts', `import './lib.mjs';`);

    const { stdout, stderr } = await run([script]);

    expect(stdout).toBe('lib\n');
    expect(stderr).toContain(`${lib}:3`);
  });

  it('with a syntax error is a usage error with its line: exit 2', async () => {
    const script = write('a.ts', `const a = 1;\nconst b = = 2;\n`);

    const { exitCode, stderr } = await run([script]);

    expect(exitCode).toBe(2);
    expect(stderr).toContain(`${script}:2:`);
  });

  it('that fails in a call of bofh is not reported as having changed nothing', async () => {
    const script = write(
      'a.ts',
      `import { writeFileSync } from 'node:fs';\nimport { parseSize } from 'bofh';\nwriteFileSync(process.argv[2]!, '');\nparseSize('10x');\n`,
    );

    const { exitCode, stderr } = await run([script, `${script}.made`]);

    expect(exitCode).toBe(1);
    expect(stderr).toContain('"10x" is not a size');
    expect(stderr).toContain('host: as the script left it');
    expect(stderr).toContain(`at ${script}:4\n`);
  });

  it('that does not exist changed nothing: exit 2', async () => {
    const { exitCode, stderr } = await run(['/nowhere.ts']);

    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/host: unchanged\n {2}next: name an existing, readable file/);
    expect(stderr).not.toContain(' at ');
  });

  it('with a missing import fails with its name, after earlier imports ran', async () => {
    const script = write('a.ts', `import { a } from './nowhere.ts';\nconsole.log(a);\n`);

    const { exitCode, stdout, stderr } = await run([script]);

    expect(exitCode).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain('nowhere.ts');
  });

  it('that waits forever does not end as a success', async () => {
    const script = write('a.ts', `await new Promise(() => undefined);`);

    const { exitCode, stderr } = await run([script]);

    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('never ends');
  });
});

describe('the dry run of a script', () => {
  const dry = (name: string, text: string, ...args: readonly string[]) =>
    run(['--dry-run', '--json', write(name, text), ...args]);

  it('shows what it would do, in order, and does nothing', async () => {
    const made = join(work, 'made');
    const { exitCode, stdout, stderr } = await dry(
      'a.ts',
      `import { atomic } from 'bofh';
       console.log('args', process.argv.slice(2).join());
       await atomic('x', async (tx) => {
         await tx.file.create({ path: ${JSON.stringify(made)}, content: 'x', mode: 0o644 });
         await tx.effect('ring', () => console.log('called'), () => undefined);
         if (tx.planning) console.log('only planned');
       });`,
      'a',
      '--b',
    );

    expect(exitCode).toBe(0);
    expect(plan.parse(JSON.parse(stdout)).steps.filter(({ when }) => when === 'in turn')).toMatchObject([
      { sequence: 'x', n: 1, kind: 'file.create', objects: [`file:${made}`] },
      { n: 2, kind: 'bare', changes: [{ line: containing('"ring"'), commands: [] }] },
    ]);
    expect(stderr).toContain('itself, on a simulated host');
    expect(stderr).toContain('args a,--b\n');
    expect(stderr).toContain('only planned');
    expect(stderr).not.toContain('called\n');
    expect(existsSync(made)).toBe(false);
    expect(existsSync(join(work, 'state'))).toBe(false);
  });

  it.each([
    ['write a file', `import { writeFileSync } from 'node:fs'; writeFileSync('oops', '');`],
    ['start a program', `import { spawnSync } from 'node:child_process'; spawnSync('touch', ['oops']);`],
  ])('prevents it: %s', async (_what, text) => {
    const { exitCode, stdout, stderr } = await dry('a.ts', text);

    expect(exitCode).toBe(1);
    expect(failure.parse(JSON.parse(stdout)).error.host).toContain('unchanged');
    expect(stderr).toContain('cannot write files or start programs');
    expect(existsSync('oops')).toBe(false);
  });

  it('is no plan when the script ends its process', async () => {
    const { exitCode, stderr } = await dry('a.ts', 'process.exit(0);');

    expect(exitCode).toBe(1);
    expect(stderr).toContain('ended its process (exit 0) before its plan was known');
  });

  it('names the line of a script that throws', async () => {
    const { exitCode, stderr } = await dry('a.ts', `\n\nthrow new Error('no');\n`);

    expect(exitCode).toBe(1);
    expect(stderr).toContain('a.ts:3');
  });
});

describe.skipIf(!root)('a script with a sequence', () => {
  it('changes what its steps say', async () => {
    expect(await run([write('a.ts', making(''))])).toMatchObject({ exitCode: 0, stdout: 'after\n' });
    expect(existsSync(join(work, 'made'))).toBe(true);
  });

  it('that fails is undone: exit 5, with the line that threw', async () => {
    const script = write('a.ts', making(`throw new Error('on purpose');`));

    const { exitCode, stdout, stderr } = await run([script]);

    expect(exitCode).toBe(5);
    expect(stderr).toContain('next: correct the script, then run it again');
    expect(stdout).toBe('');
    expect(stderr).toContain('on purpose');
    expect(stderr).toContain(`${script}:4`);
    expect(stderr).toContain('host: restored');
    expect(existsSync(join(work, 'made'))).toBe(false);
  });

  it('that it does not await is undone too, and its failure is reported', async () => {
    const script = write(
      'a.ts',
      making(`throw new Error('on purpose');`).replace('await atomic', 'void atomic'),
    );

    const { exitCode, stderr } = await run([script]);

    expect(exitCode).toBe(5);
    expect(stderr).toContain('on purpose');
    expect(existsSync(join(work, 'made'))).toBe(false);
  });

  it('is undone when the script throws elsewhere meanwhile', async () => {
    const script = write(
      'a.ts',
      `setTimeout(() => { throw new Error('elsewhere'); }, 200);\n${making('await new Promise((r) => setTimeout(r, 60_000));')}`,
    );

    const { exitCode, stderr } = await run([script]);

    expect(exitCode).toBe(1);
    expect(stderr).toContain('elsewhere');
    expect(existsSync(join(work, 'made'))).toBe(false);
  });

  it('keeps its own arguments out of the journal, because they may be secret', async () => {
    const { exitCode } = await run([write('a.ts', making('')), '--token', 'hunter2']);

    const history = join(work, 'state', 'journal', 'history');
    const texts = readdirSync(history).map((name) => readFileSync(join(history, name), 'utf8'));
    expect(exitCode).toBe(0);
    expect(texts.join()).toContain(`"${join(work, 'a.ts')}","…"]`);
    expect(texts.join()).not.toMatch(/hunter2|--token/);
  });

  it('that calls process.exit leaves its journal open, and says so: exit 3', async () => {
    const { exitCode, stderr } = await run([write('a.ts', making('process.exit(0);'))]);

    expect(exitCode).toBe(3);
    expect(stderr).toContain('its journal stays open');
    const list = await bofh(['journal', 'list', '--json', '--state-dir', join(work, 'state')]);
    expect(journalList.parse(JSON.parse(list.stdout))).toMatchObject([{ state: 'interrupted' }]);
    expect(await bofh(['recover', '--state-dir', join(work, 'state')])).toMatchObject({ exitCode: 0 });
    expect(existsSync(join(work, 'made'))).toBe(false);
  });

  it.skipIf(!root)('works as a user on the files of that user, and names what needs root', async () => {
    const { chmodSync, chownSync, mkdirSync } = await import('node:fs');
    chmodSync(work, 0o755);
    const own = join(work, 'own');
    mkdirSync(own);
    chownSync(own, 65_534, 65_534);
    const asUser = (body: string) =>
      bofh(
        ['run', write('a.ts', `import { atomic } from 'bofh';\nawait atomic('x', async (tx) => {${body}});`)],
        {
          uid: 65_534,
          env: { XDG_STATE_HOME: join(own, 'state') },
        },
      );
    const create = `await tx.file.create({ path: '${own}/made', content: '', mode: 0o600 });
      await tx.block.createImage({ file: '${own}/image', size: '1m' });`;

    expect(await asUser(`${create} throw new Error('later');`)).toMatchObject({ exitCode: 5 });
    expect(readdirSync(own)).toEqual(['state']);

    const { exitCode, stderr } = await asUser(
      `${create} await tx.lvm.createLv({ vg: 'vg0', name: 'x', size: '8m' });`,
    );
    expect(stderr).toContain('lvm.createLv needs root');
    expect(exitCode).toBe(5);
    expect(readdirSync(own)).toEqual(['state']);

    expect(await asUser(create)).toMatchObject({ exitCode: 0 });
    expect(readdirSync(own)).toEqual(['image', 'made', 'state']);
    const list = await bofh(['journal', 'list'], {
      uid: 65_534,
      env: { XDG_STATE_HOME: join(own, 'state') },
    });
    expect(list.stdout.match(/committed|rolled/g)).toHaveLength(3);
    expect(list.stderr).toContain('these are your own journals');
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('is undone at %s: exit 130', async (signal) => {
    const { child, ended } = await waiting('{ signal: tx.signal }');

    child.kill(signal);

    expect(await ended).toMatchObject({
      exitCode: 130,
      stderr: containing('was interrupted'),
    });
    expect(existsSync(join(work, 'made'))).toBe(false);
  });

  it('that ignores a signal is named at the second one, and undone below its body at the third', async () => {
    const { child, ended, told } = await waiting('{}');

    child.kill('SIGINT');
    child.kill('SIGTERM');
    await told('is not undone yet: its function still runs, after file.create');
    expect(existsSync(join(work, 'made'))).toBe(true);
    child.kill('SIGINT');

    expect(await ended).toMatchObject({
      exitCode: 130,
      stderr: containing('is undone now although its function still runs'),
    });
    expect(existsSync(join(work, 'made'))).toBe(false);
  });

  it.each([
    ['the second signal', 'SIGINT'],
    ['a closed terminal', 'SIGHUP'],
  ] as const)('that catches every error and continues is ended by %s', async (_by, signal) => {
    const script = write(
      'a.ts',
      `import { atomic } from 'bofh';
       import { setTimeout as delay } from 'node:timers/promises';
       for (let tries = 0; ; tries += 1) {
         try {
           await atomic('a', async (tx) => {
             await tx.file.create({ path: '${join(work, 'made')}', content: '', mode: 0o600 });
             console.log('waiting');
             await delay(60_000, undefined, { signal: tx.signal });
           });
         } catch {}
         if (tries === 50) console.log('refused');
       }`,
    );
    const argv = ['run', '--state-dir', join(work, 'state'), '--site', write('site.json', '{}'), script];
    const child = spawn(process.execPath, [await builtCommand(), ...argv], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const ended = new Promise((end) => child.once('close', (...how) => end(how)));
    child.stdout.on('data', () => child.kill(signal));

    expect(await ended).toEqual([130, null]);
    expect(existsSync(join(work, 'made'))).toBe(false);
  });

  /** A script that waits for a minute inside its sequence. */
  async function waiting(options: string) {
    const script = write(
      'a.ts',
      `import { setTimeout as delay } from 'node:timers/promises';
       ${making(`console.log('waiting'); await delay(60_000, undefined, ${options});`)}`,
    );
    const argv = ['run', '--state-dir', join(work, 'state'), '--site', write('site.json', '{}'), script];
    const child = spawn(process.execPath, [await builtCommand(), ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    const ended = new Promise<object>((end) => {
      child.once('close', (exitCode) => end({ exitCode, stderr }));
    });
    await new Promise((started) => child.stdout.once('data', started));
    const told = async (text: string): Promise<void> => {
      for (let tries = 0; !stderr.includes(text); tries += 1) {
        if (tries === 500) throw new Error(stderr);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    return { child, ended, told };
  }
});

describe('a site file', () => {
  const site = (path: string) => bofh(['xen', 'list', '--json', '--site', path]);
  it.each([
    ['that throws', 'a.ts', `\nthrow new Error('no such thing');\n`, /a\.ts:2: no such thing/],
    ['with an error of syntax', 'b.ts', `export default {{`, /b\.ts:1:/],
    ['without a default export', 'c.ts', `export const a = 1;`, /no default export/],
    ['that says what is no setting', 'd.ts', `export default { volumeGroop: 'x' };`, /volumeGroup/],
    ['that is not JSON', 'e.json', `{ // a comment\n}`, /e\.json is not JSON/],
  ])('%s is a usage error with the name of the file: exit 2', async (_what, name, text, sentence) => {
    const { exitCode, stdout, stderr } = await site(write(name, text));

    expect(stderr).toMatch(sentence);
    expect(exitCode).toBe(2);
    expect(failure.parse(JSON.parse(stdout)).error.host).toContain('unchanged');
  });

  it('is used by a script, also as TypeScript that imports bofh', async () => {
    const file = write(
      'mine.ts',
      `import { defineSite } from 'bofh';\nexport default defineSite({ volumeGroup: 'my_vg' as string });`,
    );
    const script = write(
      's.ts',
      `import { currentBofh } from 'bofh';\nconsole.log(currentBofh().site.volumeGroup);`,
    );

    expect(await bofh(['run', '--site', file, script])).toMatchObject({ exitCode: 0, stdout: 'my_vg\n' });
    expect(await bofh(['run', script], { env: { BOFH_SITE: file } })).toMatchObject({ stdout: 'my_vg\n' });
  });

  it('that others can write is refused', async () => {
    const { chmodSync } = await import('node:fs');
    const file = write('open.ts', `export default {};`);
    chmodSync(file, 0o666);

    const { exitCode, stderr } = await site(file);

    expect(exitCode).toBe(2);
    expect(stderr).toContain('can be written by others');
  });

  it('that is broken does not prevent reading the journal', async () => {
    const file = write('broken.ts', `throw new Error('x');`);

    expect(await bofh(['journal', 'list', '--site', file, '--state-dir', work])).toMatchObject({
      exitCode: 0,
    });
    expect(await bofh(['recover', '--dry-run', '--site', file, '--state-dir', work])).toMatchObject({
      exitCode: 0,
    });
  });
});
