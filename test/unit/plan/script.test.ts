import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { failure, plan } from '../../../src/cli/output/answers/index.ts';
import { bofh } from '../cli/support/built.ts';

let work = '';
let oops = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-dry-'));
  oops = join(work, 'oops');
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

/** `bofh --dry-run run` of a script with this text. */
function dry(text: string, ...options: readonly string[]) {
  const script = join(work, 'a.ts');
  writeFileSync(script, text.replaceAll('OOPS', oops));
  const site = join(work, 'site.json');
  writeFileSync(site, '{}');
  return bofh([
    ...['--dry-run', '--state-dir', join(work, 'state'), '--site', site, ...options],
    ...['run', script],
  ]);
}

/** What is tried, by which code, and how the answer names it. */
const attempts: readonly (readonly [what: string, code: string, named: string])[] = [
  [
    'fs.writeFile',
    `import { writeFile } from 'node:fs';
     writeFile('OOPS', 'x', () => undefined);`,
    'write OOPS (fs.writeFile)',
  ],
  [
    'fs.writeFileSync',
    `import * as fs from 'node:fs';
     fs.writeFileSync('OOPS', 'x');`,
    'write OOPS (fs.writeFileSync)',
  ],
  [
    'fs.promises.writeFile',
    `import { writeFile } from 'node:fs/promises';
     await writeFile('OOPS', 'x');`,
    'write OOPS (fs.promises.writeFile)',
  ],
  [
    'fs.promises.rm',
    `import { promises } from 'node:fs';
     await promises.rm('WORK', { recursive: true });`,
    'write WORK (fs.promises.rm)',
  ],
  [
    'fs.createWriteStream',
    `import { createWriteStream } from 'node:fs';
     createWriteStream('OOPS').on('error', () => undefined);`,
    'write OOPS (fs.createWriteStream)',
  ],
  [
    'fs.mkdirSync',
    `import { mkdirSync } from 'node:fs';
     mkdirSync('OOPS');`,
    'write OOPS (fs.mkdirSync)',
  ],
  [
    'a write whose error it catches',
    `import { appendFileSync } from 'node:fs';
     try { appendFileSync('OOPS', 'x'); } catch {}`,
    'write OOPS (fs.appendFileSync)',
  ],
  [
    'a rejected promise that it catches',
    `import { mkdir } from 'node:fs/promises';
     await mkdir('OOPS').catch(() => undefined);`,
    'write OOPS (fs.promises.mkdir)',
  ],
  [
    'child_process.spawn',
    `import { spawn } from 'node:child_process';
     spawn('touch', ['OOPS']);`,
    'start a program: touch OOPS (child_process.spawn)',
  ],
  [
    'child_process.execSync',
    `import { execSync } from 'node:child_process';
     execSync('touch OOPS');`,
    'start a program: touch OOPS (child_process.execSync)',
  ],
  [
    'promisified child_process.execFile',
    `import { execFile } from 'node:child_process';
     import { promisify } from 'node:util';
     await promisify(execFile)('touch', ['OOPS']).catch(() => undefined);`,
    'start a program: touch OOPS (child_process.execFile)',
  ],
  [
    'execa',
    `import { execa } from 'execa';
     await execa('touch', ['OOPS'], { reject: false });`,
    'start a program: touch OOPS (child_process.spawn)',
  ],
  [
    'worker_threads',
    `import { Worker } from 'node:worker_threads';
     new Worker('OOPS.mjs');`,
    'start a thread: OOPS.mjs (worker_threads.Worker)',
  ],
  [
    'process.dlopen',
    `process.dlopen({ exports: {} }, 'OOPS.node');`,
    'load native code: OOPS.node (process.dlopen)',
  ],
  ['process.binding', `process.binding('fs');`, `reach into Node itself: process.binding('fs')`],
];

describe('a script in a dry run', () => {
  it.each(attempts)(
    'that tries %s is stopped, and the error says what and where',
    async (_what, code, named) => {
      // The packages of this project stand in for those of the script.
      if (code.includes('execa')) {
        const { symlinkSync } = await import('node:fs');
        symlinkSync(join(import.meta.dirname, '../../../node_modules'), join(work, 'node_modules'));
      }
      const before = readdirSync(work).length + 2;

      const { exitCode, stdout } = await dry(
        `${code.replaceAll('WORK', work)}\nconsole.log('after');`,
        '--json',
      );

      const { error } = failure.parse(JSON.parse(stdout));
      expect(error.failed).toContain(
        `the script tried to ${named.replaceAll('OOPS', oops).replaceAll('WORK', work)}`,
      );
      expect(error.failed).toMatch(/ at \S+a\.ts:\d+( \(and \d more after it\))?$/);
      expect(error.next).toContain('tx.planning');
      expect(error.host).toContain('unchanged');
      expect(exitCode).toBe(1);
      expect(existsSync(oops)).toBe(false);
      expect(readdirSync(work).length).toBe(before);
    },
  );

  it('may read any file, which is no attempt to write', async () => {
    mkdirSync(join(work, 'data'));
    writeFileSync(join(work, 'data/a'), 'content');

    const { exitCode, stderr } = await dry(
      `import { readFileSync, existsSync, readdirSync } from 'node:fs';
       console.log(readFileSync('${work}/data/a', 'utf8'), readdirSync('${work}/data').join(), existsSync('OOPS'));`,
    );

    expect(stderr).toContain('content a false\n');
    expect(exitCode).toBe(0);
  });

  it('may use the network, because the check is no sandbox', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end('pong');
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    const { port } = server.address() as AddressInfo;

    const { exitCode, stderr } = await dry(
      `console.log(await (await fetch('http://127.0.0.1:${String(port)}/ping')).text());`,
    );
    server.close();

    expect(asked).toEqual(['/ping']);
    expect(stderr).toContain('pong\n');
    expect(exitCode).toBe(0);
  });

  it('is reported as run, in the first line of its plan and in its JSON', async () => {
    const text = `import { atomic } from 'bofh';
      await atomic('a file', (tx) => tx.file.create({ path: 'OOPS', content: 'x', mode: 0o644 }));`;

    const said = (await dry(text)).stdout.split('\n');
    const { script, verb, steps } = plan.parse(JSON.parse((await dry(text, '--json')).stdout));

    expect(said[0]).toBe(
      `dry run: the script ${join(work, 'a.ts')} itself was run: network requests that it made were really sent`,
    );
    expect([script, verb]).toEqual([join(work, 'a.ts'), 'run']);
    expect(steps.map(({ kind }) => kind)).toContain('file.create');
    expect(existsSync(oops)).toBe(false);
  });

  it('has its own functions shown and not called, in atomic() and in a sequence of its own', async () => {
    const { exitCode, stdout, stderr } = await dry(
      `import { atomic, currentBofh } from 'bofh';
       import { AtomicOperationSequence, withReverse } from 'bofh/atomic';
       const say = (what: string) => () => console.log(what);
       const ring = (bell: string) => console.log('rang', bell);
       const own = withReverse(function knock(door: string) { console.log('knocked', door); }, () => undefined);
       const reverse = (f: unknown) => (f === ring ? () => console.log('silenced') : undefined);
       await atomic('zero', async (tx) => {
         await tx.file.create({ path: 'OOPS', content: 'x', mode: 0o644 });
         await tx.effect('warn', say('warned'), say('unwarned'));
       });
       await atomic('one', (tx) => tx.scope('s', (inner) => inner.effect('light', say('lit'), say('put out'))));
       await atomic('ambient', (tx) => tx.scope('s', (inner) => inner.call(ring, 'a')), { reverse });
       const two = new AtomicOperationSequence({ engine: currentBofh().engine, name: 'two', reverse });
       await two.run(async (tx) => {
         await tx.call(ring, 'b');
         await tx.call(own, 'd');
         await tx.effect('heat', say('hot'), say('cold'));
       });`,
      '--json',
    );

    const { steps } = plan.parse(JSON.parse(stdout));
    const pairs = steps.filter(({ kind }) => kind === 'bare');
    expect(steps.map(({ sequence }) => sequence).lastIndexOf('zero')).toBeLessThan(steps.length - 4);
    expect(pairs.map(({ sequence, kind, changes }) => [sequence, kind, changes[0]?.line])).toEqual([
      ['zero', 'bare', `# "warn": the script's own code, not called here`],
      ['one', 'bare', `# "light": the script's own code, not called here`],
      ['ambient', 'bare', `# "ring": the script's own code, not called here`],
      ['two', 'bare', `# "ring": the script's own code, not called here`],
      ['two', 'bare', `# "knock": the script's own code, not called here`],
      ['two', 'bare', `# "heat": the script's own code, not called here`],
    ]);
    expect(stderr).not.toMatch(/warned|lit|put out|rang|silenced|knocked|hot|cold/);
    expect(exitCode).toBe(0);
  });

  it('may run another script, whose functions are not called either', async () => {
    const inner = join(work, 'inner.ts');
    writeFileSync(
      inner,
      `import { writeFileSync } from 'node:fs';
       import { atomic } from 'bofh';
       await atomic('inner', (tx) => tx.effect('mark', () => writeFileSync('${oops}', 'x'), () => undefined));`,
    );

    const { stdout, exitCode } = await dry(
      `import { runScript } from 'bofh'; await runScript('${inner}');`,
      '--json',
    );

    expect(exitCode).toBe(0);
    expect(plan.parse(JSON.parse(stdout)).steps).toMatchObject([{ sequence: 'inner', kind: 'bare' }]);
    expect(existsSync(oops)).toBe(false);
  });

  it('whose function has no inverse is refused, like the run', async () => {
    const { exitCode, stderr } = await dry(
      `import { AtomicOperationSequence, currentBofh } from 'bofh';
       const two = new AtomicOperationSequence({ engine: currentBofh().engine, name: 'two' });
       await two.run((tx) => tx.call(function ring() { console.log('rang'); }));`,
    );

    expect(stderr).toContain('ring was not called, because bofh does not know how to undo it');
    expect(stderr).not.toContain('rang');
    expect(exitCode).not.toBe(0);
  });
});
