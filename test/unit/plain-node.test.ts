import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { builtCommand } from './cli/support/built.ts';

let work = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-plain-'));
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lines: readonly string[];
  readonly stderr: string;
}

/**
 * A program of plain Node.js that imports the library as it is published, on a simulated host whose sequences watch the signals of
 * their process. It gets `signals` when it prints "ready", one for each time.
 */
async function plainNode(
  text: string,
  signals: readonly NodeJS.Signals[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const dist = dirname(await builtCommand());
  const script = join(work, 'script.mjs');
  writeFileSync(
    script,
    `import { setTimeout as delay } from 'node:timers/promises';
     import * as bofh from ${JSON.stringify(join(dist, 'index.js'))};
     import { simulatedBofh, simulatedHost } from ${JSON.stringify(join(dist, 'testing.js'))};
     const { atomic, BofhError, InterruptedError, withBofh } = bofh;
     const host = simulatedHost();
     const { signals, ...simulated } = simulatedBofh({ host });
     const make = (name) => withBofh(simulated, () => atomic(name, async (tx) => {
       await tx.lvm.createLv({ vg: 'vg0', name, size: '4m' });
       console.log('made', name);
       return tx;
     }));
     ${text}`,
  );
  const child = spawn(process.execPath, [script], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const left = [...signals];
  let [stdout, stderr] = ['', ''];
  child.stderr.on('data', (part: Buffer) => (stderr += part.toString()));
  child.stdout.on('data', (part: Buffer) => {
    stdout += part.toString();
    if (part.toString().includes('ready')) child.kill(left.shift() ?? 0);
  });
  return await new Promise((resolve) => {
    child.once('close', (exitCode, signal) =>
      resolve({ exitCode, signal, lines: stdout.trimEnd().split('\n'), stderr }),
    );
  });
}

describe('in plain Node.js', () => {
  const loop = `
    for (const name of ['a', 'b', 'c', 'd']) {
      try {
        await withBofh(simulated, () => atomic(name, async (tx) => {
          await tx.lvm.createLv({ vg: 'vg0', name, size: '4m' });
          console.log('made', name);
          if (name !== 'b') return;
          console.log('ready');
          await delay(5000, undefined, { signal: tx.signal });
        }));
      } catch (error) {
        if (!(error instanceof BofhError)) throw error;
        console.log(error.name, name);
      }
    }`;

  it('no sequence starts after a signal, whatever the program catches: exit 130', async () => {
    const { exitCode, lines } = await plainNode(loop, ['SIGINT']);

    expect(lines).toEqual([
      ...['made a', 'made b', 'ready', 'InterruptedError b'],
      ...['InterruptedError c', 'InterruptedError d'],
    ]);
    expect(exitCode).toBe(130);
  });

  it('a signal just after the call of atomic() interrupts it: nothing starts', async () => {
    const { exitCode, lines } = await plainNode(
      `const running = withBofh(simulated, () => atomic('a', () => console.log('begun')));
       process.kill(process.pid, 'SIGINT');
       try { await running; } catch (error) { console.log(error.name, error.reason); }`,
    );

    expect(lines).toEqual(['InterruptedError SIGINT']);
    expect(exitCode).toBe(130);
  });

  it.each([
    ['process.exit(0)', 3],
    ['await new Promise(() => {})', 3],
    ["setTimeout(() => { throw new Error('boom'); }); await delay(5000)", 1],
    ['process.exit(4)', 4],
  ])('reports that a sequence stays open after %s: exit %d', async (text, code) => {
    const { exitCode, stderr } = await plainNode(
      `await make('a');
       await withBofh(simulated, () => atomic('b', async (tx) => {
         await tx.lvm.createLv({ vg: 'vg0', name: 'b', size: '4m' });
         ${text};
       }));`,
    );

    expect(stderr).toContain(
      'bofh: the process ended before the sequence "b" did; its journal stays open: bofh recover\n',
    );
    expect(exitCode).toBe(code);
  });

  it('an exit before the first step, and after the last sequence, leaves nothing to report', async () => {
    const before = await plainNode(`await withBofh(simulated, () => atomic('a', () => process.exit(0)));`);
    const after = await plainNode(`await make('a'); process.exit(0);`);

    expect([before, after].map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual([
      [0, ''],
      [0, ''],
    ]);
  });

  it('a second signal ends a program that continues without a sequence', async () => {
    const { signal, lines } = await plainNode(`${loop}\nconsole.log('ready');\nawait delay(20_000);`, [
      'SIGTERM',
      'SIGTERM',
    ]);

    expect(lines.at(-1)).toBe('ready');
    expect(signal).toBe('SIGTERM');
  });

  it('a second signal ends a loop that continues with refused sequences', async () => {
    const { signal, lines } = await plainNode(
      `let watched = 0;
       process.on('newListener', (name) => { if (name === 'SIGINT') watched += 1; });
       for (let tries = 0; ; tries += 1) {
         try {
           await withBofh(simulated, () => atomic('a', async (tx) => {
             await tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '4m' });
             console.log('ready');
             await delay(5000, undefined, { signal: tx.signal });
           }));
         } catch {}
         if (tries === 50) console.log('watched', watched, '\\nready');
       }`,
      ['SIGINT', 'SIGINT'],
    );

    expect(lines).toEqual(['ready', 'watched 1 ', 'ready']);
    expect(signal).toBe('SIGINT');
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    '%s sent up to three times: the second says where the body is, the third undoes while it runs',
    async (signal, code) => {
      const { exitCode, lines } = await plainNode(
        `const before = host.snapshot();
         const engine = { ...simulated.engine, onWaiting: (notice) => console.log(notice, 'ready') };
         try {
           await withBofh({ ...simulated, engine }, () => atomic('a', async (tx) => {
             await tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '4m' });
             tx.signal.addEventListener('abort', () => console.log('ready'));
             console.log('ready');
             await new Promise(() => setInterval(() => undefined, 1000));
           }));
         } catch (error) {
           console.log(error.name, error.reason, host.snapshot() === before);
           process.exit();
         }`,
        [signal, signal, signal],
      );

      expect(lines).toEqual([
        ...['ready', 'ready'],
        expect.stringMatching(
          /^"a" is not undone yet: its function still runs, after lvm\.createLv.* ready$/,
        ),
        expect.stringMatching(/^"a" is undone now although its function still runs/),
        `InterruptedError ${signal} true`,
      ]);
      expect(exitCode).toBe(code);
    },
  );

  it.each([
    ['twice, as by a closed terminal', ['SIGHUP', 'SIGHUP'], 129],
    ['after SIGTERM, as by systemd', ['SIGTERM', 'SIGHUP'], 143],
    ['before SIGTERM', ['SIGHUP', 'SIGTERM'], 129],
  ] as const)('SIGHUP %s lets the undo end', async (_when, signals, code) => {
    const { exitCode, lines } = await plainNode(
      `try {
         await withBofh(simulated, () => atomic('a', async (tx) => {
           await tx.effect('x', () => undefined, async () => {
             console.log('ready');
             await delay(500);
             console.log('undone');
           });
           console.log('ready');
           await delay(5000, undefined, { signal: tx.signal });
         }));
       } catch (error) { console.log(error.name, error.reason); }`,
      signals,
    );

    expect(lines).toEqual(['ready', 'ready', 'undone', `InterruptedError ${signals[0]}`]);
    expect(exitCode).toBe(code);
  });

  it('a program that handles signals itself continues', async () => {
    const { exitCode, lines } = await plainNode(
      `process.on('SIGHUP', () => console.log('reload'));
       await withBofh({ ...simulated, signals: {} }, () => atomic('a', async (tx) => {
         await tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '4m' });
         console.log('ready');
         await delay(300);
       }));
       await make('b');`,
      ['SIGHUP'],
    );

    expect(lines).toEqual(['ready', 'reload', 'made b']);
    expect(exitCode).toBe(0);
  });

  it('concurrent sequences share one handler of each signal, and none is left', async () => {
    const { lines, stderr } = await plainNode(
      `const names = Array.from({ length: 12 }, (_, i) => 'v' + i);
       await Promise.all(names.map((name) => withBofh(simulated, () => atomic(name, async (tx) => {
         await tx.file.create({ path: '/root/' + name, content: '', mode: 0o600 });
         await delay(100);
       }))));
       console.log('handlers', process.listenerCount('SIGINT'));`,
    );

    expect(stderr).toBe('');
    expect(lines).toEqual(['handlers 0']);
  });
});

describe('the context of plain Node.js', () => {
  const show = `
    try {
      const { site, stateDir, engine } = bofh.connect({ waitMs: 5 });
      console.log(site.volumeGroup, stateDir, engine.waitMs);
      console.log(bofh.currentBofh().site.volumeGroup, (await bofh.loadSite()).volumeGroup);
      console.log(bofh.settings().find(({ name }) => name === 'volumeGroup').origin.by);
    } catch (error) { console.log(error.code, error.message, '>', error.remedy); }`;

  it.each([
    [
      'site.ts',
      `import { defineSite } from 'bofh'; export default defineSite({ volumeGroup: 'vg7' as string });`,
    ],
    ['site.mjs', `import group from './group.mjs'; export default { volumeGroup: group };`],
    ['site.json', '{ "volumeGroup": "vg7" }'],
  ])('is the one of the command line: %s in BOFH_SITE, BOFH_STATE_DIR', async (name, text) => {
    const site = join(work, name);
    writeFileSync(site, text);
    writeFileSync(join(work, 'group.mjs'), `export default 'vg7';`);

    const { lines } = await plainNode(show, [], { BOFH_SITE: site, BOFH_STATE_DIR: '/srv/bofh' });

    expect(lines).toEqual(['vg7 /srv/bofh 5', 'vg7 vg7', 'site file']);
  });

  it.each([
    ['that is not there', undefined, /^not-found there is no site file .*none\.ts > /],
    ['with an unknown setting', 'export default { volumeGruop: 1 };', /^invalid .*volumeGruop/],
    ['with a top-level await', 'export default await Promise.resolve({});', /^invalid .* > .*loadSite\(\)/],
  ])('refuses a site file %s', async (_, text, answer) => {
    const site = join(work, text === undefined ? 'none.ts' : 'site.ts');
    if (text !== undefined) writeFileSync(site, text);

    const { lines } = await plainNode(show, [], { BOFH_SITE: site });

    expect(lines.join()).toMatch(answer);
  });

  it('runs a script with this library and this context', async () => {
    const inner = join(work, 'inner.ts');
    writeFileSync(
      inner,
      `import { atomic, currentBofh, runScript } from 'bofh';
       enum Size { small = 4 }
       await atomic('inner', (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'a', size: \`\${Size.small}m\` }));
       export const host = currentBofh().host;`,
    );

    const { lines } = await plainNode(
      `const ran = await withBofh({ ...simulated, signals: {} }, () => bofh.runScript(${JSON.stringify(inner)}));
       console.log(ran.host === host, host.snapshot().includes('a'));`,
    );

    expect(lines).toEqual(['true true']);
  });
});
