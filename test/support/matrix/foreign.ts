import { layFault, until } from '../rig/index.ts';
import {
  background,
  createCommand,
  removeGuest,
  expectForeign,
  foreignGuestConfig,
  guest,
  keepGuest,
  reset,
  run,
  type Stage,
} from './stage.ts';
import { injected, type Trial } from './trials.ts';

const taken = 'somebody takes our name between check and act';
const replaced = 'somebody takes our name between kill and recover';

/** Volumes, config files and domains of others that get our name: each must survive byte for byte. */
export const foreignTrials: readonly Trial[] = [
  {
    group: taken,
    name: 'a logical volume',
    run: async (stage) =>
      atTool(stage, { tool: 'lvcreate', words: [`${guest}-root`] }, makeForeignVolume, () =>
        sameVolume(stage),
      ),
  },
  {
    group: taken,
    name: 'a config file',
    run: (stage) => atLine(stage, 'file.create', makeForeignConfig, () => sameConfig(stage)),
  },
  {
    group: taken,
    name: 'a domain',
    run: async (stage) => {
      const config = await foreignGuestConfig(stage);
      return atTool(
        stage,
        { tool: 'xl', words: ['create', `/etc/xen/${guest}.cfg`, '!-N'] },
        async () => {
          await stage.machine.run(`xl create ${config}`);
        },
        () => strangerRuns(stage),
      );
    },
  },
  {
    group: replaced,
    name: 'a logical volume',
    run: (stage) =>
      afterKill(
        stage,
        'filesystem.create',
        async () => {
          await stage.machine.run(`lvremove -y vg0/${guest}-root`);
          await makeForeignVolume(stage);
        },
        () => sameVolume(stage),
      ),
  },
  {
    group: replaced,
    name: 'a config file',
    run: (stage) =>
      afterKill(
        stage,
        'xen.domain.create',
        async () => {
          await makeForeignConfig(stage, '/root/new.cfg');
          await stage.machine.run(`mv /root/new.cfg /etc/xen/${guest}.cfg`);
        },
        () => sameConfig(stage),
      ),
  },
  {
    group: replaced,
    name: 'a domain',
    run: async (stage) => {
      const config = await foreignGuestConfig(stage);
      await killedWithDomain(stage);
      await stage.machine.run(`xl destroy ${guest}; xl create ${config}`);
      await run(stage, 'bofh recover --yes', 0);
      return leftUntouched(stage, () => strangerRuns(stage));
    },
  },
];

/** Two at once: of one name one wins, of two names both do. */
export const concurrency: readonly Trial[] = [
  {
    group: 'two at once',
    name: 'of the same name: one wins, the other is refused',
    run: async (stage) => {
      const both = await Promise.all([background(stage, createCommand), background(stage, createCommand)]);
      const ended = await Promise.all(both.map((each) => each.ended));
      const codes = ended.map(({ exitCode }) => exitCode).sort((a, b) => a - b);
      if (codes[0] !== 0 || ![1, 4, 5].includes(codes[1] ?? -1))
        throw new Error(
          `they ended with ${codes.join(' and ')}:\n${ended.map(({ output }) => output).join('\n---\n')}`,
        );
      await keepGuest(stage);
      return 'as after';
    },
  },
  {
    group: 'two at once',
    name: 'of two names: both succeed',
    run: async (stage) => {
      const other = createCommand.replace(guest, 'db1');
      const both = await Promise.all([background(stage, createCommand), background(stage, other)]);
      const ended = await Promise.all(both.map((each) => each.ended));
      if (ended.some(({ exitCode }) => exitCode !== 0))
        throw new Error(ended.map(({ exitCode, output }) => `exit ${exitCode}\n${output}`).join('\n---\n'));
      await run(stage, 'bofh --yes vm remove db1 --force-off', 0);
      await keepGuest(stage);
      return 'as after';
    },
  },
];

/**
 * Holds bofh in front of a tool while another process acts, then releases it: bofh must fail and leave the
 * foreign object alone.
 */
async function atTool(
  stage: Stage,
  call: { readonly tool: string; readonly words: readonly string[]; readonly nth?: number },
  act: (stage: Stage) => Promise<void>,
  check: () => Promise<void>,
): Promise<'as before'> {
  const fault = await layFault(stage.machine, { ...call, times: 1, mode: 'hang' });
  const victim = await background(stage, createCommand);
  await until({
    what: `${call.tool} is called`,
    timeoutMs: 120_000,
    everyMs: 200,
    probe: async () => ((await fault.hits()) >= (call.nth ?? 1) ? true : undefined),
  });
  await act(stage);
  await fault.release();
  const { exitCode, output } = await victim.ended;
  if (exitCode !== 5) throw new Error(`it ended with ${exitCode}, not 5:\n${output}`);
  return leftUntouched(stage, check);
}

/** Holds bofh at the intent of a step while another process acts, then releases it. */
async function atLine(
  stage: Stage,
  kind: string,
  act: (stage: Stage) => Promise<void>,
  check: () => Promise<void>,
): Promise<'as before'> {
  const n = await lineOf(stage, kind);
  const victim = await background(stage, injected(createCommand, `signal=SIGSTOP:when=${n}`));
  const child = await until({
    what: `line ${n} is written`,
    timeoutMs: 120_000,
    everyMs: 200,
    probe: async () => {
      // strace stops it for a moment at every fdatasync: only with the line in the journal is it the stop that lasts.
      const { stdout } = await stage.machine.run(
        `grep -q '"kind":"${kind}"' /var/lib/bofh/journal/*.journal || exit 0; for child in $(cat /proc/${victim.pid}/task/${victim.pid}/children); do grep -q '^State:.[tT]' /proc/$child/status && echo $child; done`,
        { check: 'return' },
      );
      return stdout.trim() === '' ? undefined : stdout.trim();
    },
  });
  await act(stage);
  await stage.machine.run(`kill -CONT ${child}`);
  const { exitCode, output } = await victim.ended;
  if (exitCode !== 5) throw new Error(`it ended with ${exitCode}, not 5:\n${output}`);
  return leftUntouched(stage, check);
}

/** Kills bofh at the intent of a step (all before it is done), lets another process act, recovers. */
async function afterKill(
  stage: Stage,
  kind: string,
  act: () => Promise<void>,
  check: () => Promise<void>,
): Promise<'as before'> {
  await run(stage, injected(createCommand, `signal=SIGKILL:when=${await lineOf(stage, kind)}`), 137);
  await act();
  await run(stage, 'bofh recover --yes', 0);
  return leftUntouched(stage, check);
}

/** Kills bofh when its guest runs and nothing is committed: no line of the journal lies between, so `xl create` is held. */
async function killedWithDomain(stage: Stage): Promise<void> {
  const call = { tool: 'xl', words: ['create', `/etc/xen/${guest}.cfg`, '!-N'] };
  const fault = await layFault(stage.machine, { ...call, times: 1, mode: 'act-then-hang' });
  try {
    const victim = await background(stage, createCommand);
    await until({
      what: `${guest} runs`,
      timeoutMs: 120_000,
      everyMs: 500,
      probe: async () => {
        const { exitCode } = await stage.machine.run(
          `xl list ${guest} 2>/dev/null | grep -q ' [r-][b-]---- '`,
          {
            check: 'return',
          },
        );
        return (await fault.hits()) >= 1 && exitCode === 0 ? true : undefined;
      },
    });
    await stage.machine.run(`kill -9 ${victim.pid}`);
    await victim.ended;
    await fault.release();
  } finally {
    await fault.remove();
  }
}

/** Theirs is there, nothing else of ours is, and the next trial starts from a clean host. */
async function leftUntouched(stage: Stage, check: () => Promise<void>): Promise<'as before'> {
  await check();
  await expectForeign(stage);
  const { stdout } = await stage.machine.run(
    `ls /var/lib/bofh/journal | grep 'journal$'; ls -A /run/bofh/mnt`,
    {
      check: 'return',
    },
  );
  if (stdout.trim() !== '') throw new Error(`something was left: ${stdout}`);
  await reset(stage);
  return 'as before';
}

/** Which durable write of `vm create` is the one that holds a step's intent: counted once, on a run that succeeds. */
async function lineOf(stage: Stage, kind: string): Promise<number> {
  const known = lines.get(kind);
  if (known !== undefined) return known;
  await run(stage, createCommand, 0);
  const { stdout } = await stage.machine.run(
    'cat "$(ls -t /var/lib/bofh/journal/history/*.journal | head -n 1)"',
  );
  let writes = 0;
  for (const line of stdout.trim().split('\n')) {
    const { t, kind: step } = JSON.parse(line.slice(9)) as { readonly t: string; readonly kind?: string };
    // `begin` is written with the first intent, `done` with the next line.
    if (t === 'begin' || t === 'done' || t === 'scope') continue;
    writes += 1;
    lines.set(step ?? t, writes);
  }
  await removeGuest(stage);
  const found = lines.get(kind);
  if (found === undefined) throw new Error(`no line of vm create is "${kind}"`);
  return found;
}

const lines = new Map<string, number>();

async function makeForeignVolume(stage: Stage): Promise<void> {
  await stage.machine.run(
    `lvcreate --quiet -y -W y -L 8M -n ${guest}-root vg0 && echo stranger | dd of=/dev/vg0/${guest}-root conv=fsync status=none`,
  );
}

async function sameVolume(stage: Stage): Promise<void> {
  const { stdout } = await stage.machine.run(`head -c 8 /dev/vg0/${guest}-root`);
  if (stdout !== 'stranger') throw new Error(`the foreign volume now begins with "${stdout}"`);
}

async function makeForeignConfig(stage: Stage, path = `/etc/xen/${guest}.cfg`): Promise<void> {
  await stage.machine.putText(path, 'name = "somebody"\nmemory = 64\n');
}

async function sameConfig(stage: Stage): Promise<void> {
  const { stdout } = await stage.machine.run(`cat /etc/xen/${guest}.cfg`);
  if (stdout !== 'name = "somebody"\nmemory = 64\n') throw new Error(`the foreign config is now:\n${stdout}`);
}

async function strangerRuns(stage: Stage): Promise<void> {
  const { stdout } = await stage.machine.run(
    `xl list -l ${guest} | grep -c stranger; lvs --noheadings -o lv_name vg0 | grep -c -E '^ *${guest}-(root|swap) *$'`,
    { check: 'return' },
  );
  if (stdout.trim() !== '1\n0') throw new Error(`the foreign domain, our volumes: ${stdout}`);
}
