import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plan } from '../../src/cli/output/answers/index.ts';
import { script } from '../support/demo/acts.ts';
import {
  createCommand,
  removeCommand,
  expectAsBefore,
  openStage,
  run,
  type Stage,
} from '../support/matrix/stage.ts';
import { injected } from '../support/matrix/trials.ts';
import {
  callsIn,
  changesIn,
  startedIn,
  straceWords,
  unnamed,
  withoutRetries,
  writesIn,
} from '../support/strace/trace.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage(() => undefined);
  await stage.machine.putText('/root/disks.ts', script);
});
afterAll(async () => stage.machine.close());

/** In this order: each finds the host as the one before left it. */
const acts: readonly { readonly command: string; readonly before?: () => Promise<unknown> }[] = [
  { command: createCommand },
  { command: 'bofh xen start-all', before: () => stage.machine.run('xl destroy web1') },
  { command: removeCommand },
  { command: 'bofh run /root/disks.ts' },
  {
    command: 'bofh --yes recover',
    before: () => run(stage, injected(createCommand, 'signal=SIGKILL:when=6'), 137),
  },
];

describe('a plan on a real Xen host', () => {
  it('starts only programs that read, and writes nothing', async () => {
    const calls = callsIn(await traced(createCommand.replace('bofh', 'bofh --dry-run')));

    expect(changesIn(calls)).toEqual([]);
    expect(
      startedIn(calls)
        .map(asRead)
        .filter((line) => line !== undefined),
    ).toEqual([]);
    expect(
      writesIn(calls)
        .filter(({ program: [name = ''] }) => name.endsWith('/node') || name === 'node')
        .map(({ name, path }) => `${name} ${path}`)
        .filter((line) => line !== 'openat /dev/null'),
    ).toEqual([]);
    expect([...new Set(writesIn(calls).flatMap(({ path }) => (toolsMay.test(path) ? [] : [path])))]).toEqual(
      [],
    );
    await expectAsBefore(stage);
  });

  it.each(acts)('$command: its changes are those of the run, argv for argv', async ({ command, before }) => {
    await before?.();
    const answer = plan.parse(
      JSON.parse(await run(stage, `(${command.replace('bofh', 'bofh --json --dry-run')} 2>/dev/null)`, 0)),
    );
    const planned = answer.steps.flatMap(({ changes }) =>
      changes.flatMap(({ commands }) => commands.map(unnamed)),
    );

    const real = changesIn(callsIn(await traced(command))).map(([file = '', ...words]) =>
      unnamed([file.slice(file.lastIndexOf('/') + 1), ...words]),
    );

    expect(real.length).toBeGreaterThan(0);
    expect(withoutRetries(planned)).toEqual(withoutRetries(real));
  });
});

/** The locks and the kernel's own doors: an LVM report takes its group's lock, xl asks the hypervisor, and `xl list --long` locks each domain. */
const toolsMay =
  /^\/(?:dev\/(?:null|tty|mapper\/control|xen\/.*)|proc\/xen\/.*|run\/(?:lock\/)?lvm(?:\/.*)?|run\/xenstored\/.*|var\/run\/xen.*|var\/lock\/.*|var\/lib\/xen\/userdata-l\.[^/]*-lock)$/;

const reads: readonly RegExp[] = [
  /^(?:node|bofh|\/usr\/bin\/env|[^ ]*\/node)(?: |$)/,
  /^(?:lvs|vgs|pvs|lsblk|blkid|tar --list|losetup --list|losetup --json|blockdev --get\S+|lvmconfig|findmnt|debugfs)(?: |$)/,
  /^(?:xl list|xl info|xl -N create)(?: |$)/,
];

/** Undefined for a program that only reads. */
function asRead([file = '', ...words]: readonly string[]): string | undefined {
  const line = [file.slice(file.lastIndexOf('/') + 1), ...words].join(' ');
  return reads.some((each) => each.test(line)) ? undefined : line;
}

async function traced(command: string): Promise<string> {
  const words = straceWords.map((word) => `'${word}'`).join(' ');
  // The tracer has its output too, for as long as a guest's daemon runs.
  await run(
    stage,
    `(${words} -o /run/trace ${command} > /run/said 2>&1 < /dev/null || { code=$?; cat /run/said; exit $code; })`,
    0,
  );
  return (await stage.machine.get('/run/trace')).toString();
}
