import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Background,
  background,
  expectAsBefore,
  expectForeign,
  openStage,
  reset,
  run,
  type Stage,
} from '../support/matrix/stage.ts';
import { atGate, type Gate, gates, openGates, putSteps, stepsCommand } from '../support/dom0/steps.ts';
import { available, fingerprint } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

/** What each of the ten makes: ten-a, ten-b and ten-c are wanted by two or three of them. */
const wanted = ['a', 'b', 'c', 'a', 'd', 'e', 'b', 'f', 'a', 'c'].map((name) => `ten-${name}`);

const makeScript = `import { atomic } from 'bofh';
const name = process.argv[2];
await atomic('make ' + name, async (tx) => {
  const { path } = await tx.lvm.createLv({ vg: 'vg0', name, size: '16m' });
  await tx.filesystem.create({ device: path, type: 'ext4' });
  await tx.file.create({ path: '/etc/xen/' + name, content: process.pid + '\\n', mode: 0o644 });
});
`;

describe.skipIf(!can.ok && !required)('on a real Xen host', () => {
  let stage: Stage;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    stage = await openStage(() => undefined);
  });
  afterAll(async () => {
    await stage.machine.close();
  });

  const text = async (command: string): Promise<string> =>
    (await stage.machine.run(command, { check: 'return', timeoutMs: 300_000 })).stdout.trim();

  /** Every part starts from the same host, whatever became of the one before. */
  async function startAgain(): Promise<void> {
    await reset(stage);
    await stage.machine.putText('/root/make.ts', makeScript);
    await putSteps(stage.machine);
  }

  describe('ten bofh at once', () => {
    let ended: readonly { readonly name: string; readonly exitCode: number; readonly said: string }[] = [];
    beforeAll(async () => {
      await startAgain();
      await text(
        `cd /root; n=0; for name in ${wanted.join(' ')}; do (bofh run make.ts $name > said-$n 2>&1; echo $? > code-$n) & n=$((n + 1)); done; wait`,
      );
      ended = await Promise.all(
        wanted.map(async (name, index) => {
          const [code = '', ...said] = (
            await text(`cat /root/code-${String(index)} /root/said-${String(index)}`)
          ).split('\n');
          return { name, exitCode: Number(code), said: said.join('\n') };
        }),
      );
    });

    it('each completes, or is refused with the holder named', () => {
      for (const { name, exitCode, said } of ended) {
        if (exitCode === 0) continue;
        expect([1, 4, 5]).toContain(exitCode);
        expect(said).toMatch(
          new RegExp(
            `logical volume vg0/${name} is in use by (?:sequence|another bofh)|vg0/${name} (?:exists already|is there)`,
          ),
        );
        expect(said).toMatch(/host: (?:unchanged|restored|as the script left it)/);
      }
    });

    it('of one name exactly one completes, and the host has only the objects of the winners', async () => {
      const winners = ended.filter(({ exitCode }) => exitCode === 0).map(({ name }) => name);
      expect(winners.toSorted()).toEqual([...new Set(wanted)].toSorted());

      const changed = stage.start
        .diff(await fingerprint(stage.machine))
        .split('\n')
        .filter((line) => /^[+-] /.test(line));
      // The group itself has less room, and its one physical volume.
      const foreign = changed.filter((line) => !/ten-{1,2}[a-f]|^[+-] (?:vg0\||\/dev\/vdb\|)/.test(line));
      expect(foreign).toEqual([]);
      expect(await text('ls /var/lib/bofh/journal | grep journal$')).toBe('');
      await expectForeign(stage);
    });
  });

  describe('an administrator between two steps', () => {
    beforeAll(startAgain);
    afterEach(async ({ task }) => {
      if (task.result?.state === 'fail') await startAgain();
      else await expectAsBefore(stage);
      await text('rm -f /run/gate-*');
    });

    /** Stands at a gate; a script that has ended by itself never comes there. */
    async function held(victim: Background, gate: Gate): Promise<void> {
      const early = victim.ended.then(({ exitCode, output }) => {
        throw new Error(`it ended with ${String(exitCode)} before the gate "${gate}":\n${output}`);
      });
      await Promise.race([atGate(stage.machine, 'adm1', gate), early]);
    }

    /** Runs the script, and each act at its gate; past the last gate it gives up by itself. */
    async function withAct(gate: Gate, act: string): Promise<string> {
      await openGates(
        stage.machine,
        'adm1',
        gates.filter((other) => other !== gate),
      );
      const victim = await background(stage, stepsCommand('adm1'));
      await held(victim, gate);
      await stage.machine.run(act);
      await openGates(stage.machine, 'adm1', [gate]);
      const { exitCode, output } = await victim.ended;
      expect({ exitCode, output }).toMatchObject({ exitCode: 5 });
      return output;
    }

    it('removes our volume, and the clock jumps by ten years: everything is undone', async () => {
      const output = await withAct('made', `date -s '+10 years' && lvremove -qq -y vg0/adm1`);
      await text(`date -s @${String(Math.round(Date.now() / 1000))}`);

      expect(output).toContain('restored: everything was rolled back');
    });

    it('renames our volume: it is found by its tag, and undone', async () => {
      const output = await withAct('formatted', 'lvrename -qq vg0/adm1 vg0/mine');

      expect(output).toContain('restored: everything was rolled back');
      expect(await text('lvs --noheadings -o lv_name vg0 | grep -w mine')).toBe('');
    });

    it('unmounts our mount: nothing is unpacked below it, everything is undone', async () => {
      const output = await withAct('mounted', 'umount /dev/vg0/adm1');

      expect(output).toContain('restored: everything was rolled back');
    });

    it('edits our config file: the edit stays and is named, the rest is undone', async () => {
      const output = await withAct('configured', 'echo "# mine" >> /etc/xen/adm1.cfg');

      expect(output).toContain('left untouched');
      expect(output).toContain('/etc/xen/adm1.cfg was edited since and stays');
      expect(await text('tail -n 1 /etc/xen/adm1.cfg; rm /etc/xen/adm1.cfg')).toBe('# mine');
    });

    it('takes a snapshot of our volume and destroys our guest: the snapshot is named, and stays until it is removed', async () => {
      await openGates(stage.machine, 'adm1', ['made', 'formatted', 'mounted', 'configured']);
      const victim = await background(stage, stepsCommand('adm1'));
      await held(victim, 'started');
      await stage.machine.run(
        `kill -9 ${String(victim.pid)}; lvcreate -qq -s -L 8M -n monday vg0/adm1; xl destroy adm1`,
      );
      await victim.ended;

      const stuck = await run(stage, 'bofh recover --yes', 3);

      expect(stuck).toContain('vg0/monday');
      expect(await text('lvs --noheadings -o lv_name vg0 | grep -c -w -e monday -e adm1')).toBe('2');
      await stage.machine.run('lvremove -qq -y vg0/monday');
      await run(stage, 'bofh recover --yes', 0);
    });
  });
});
