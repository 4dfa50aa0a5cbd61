import { uptime } from 'node:os';
import { beforeEach, describe, expect, it } from 'vitest';
import type { BeginLine } from '../../../src/atomic/journal/lines.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { accessing } from '../../../src/cli/runtime/read-journals.ts';
import { journalList, plan } from '../../../src/cli/output/answers/index.ts';
import { JournalError, RefusedError, UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { appendedApart, begin } from './support/journals.ts';
import { jsonOn, typedOn } from './support/run-verb.ts';

let host: SimulatedHost;
let stateDir: string;

/** A sequence that waits for its confirmation, and one that was interrupted. */
beforeEach(async () => {
  host = simulatedHost();
  const { boot } = await host.facts();
  const waiting = { ...(begin('aa11', 'firewall') as BeginLine), confirm: 600 };
  lay('aa11', appendedApart([waiting, { t: 'awaiting', until: uptime() + 600, boot }]));
  lay('bb22', appendedApart([begin('bb22', 'a thing')]));
  stateDir = host.snapshot();
});

function lay(id: string, bytes: Uint8Array): void {
  const { store } = simulatedBofh({ host }).engine;
  const file = store.create(`${id}.journal`);
  file.write(bytes, 0);
  file.close();
  store.syncDir('.');
}

const dry = (line: string) => jsonOn(simulatedBofh({ host }), line, { dryRun: true });

describe('a dry run of a sequence that waits for its confirmation', () => {
  it.each([
    ['confirm', 'committed'],
    ['confirm aa11', 'committed'],
    ['confirm --extend 5m', 'unconfirmed'],
    ['undo aa11', 'rolled-back'],
  ])('%s: the JSON says that it would be %s', async (line, end) => {
    const { code, data } = await dry(line);

    expect(code).toBe(0);
    expect(plan.parse(data).journals).toEqual([{ id: 'aa11', name: 'firewall', end, waitsFor: [] }]);
    expect(host.snapshot()).toBe(stateDir);
  });

  it.each(['confirm bb22', 'confirm bb22 --extend 5m', 'journal resolve bb22 7 --keep'])(
    '%s is refused as the run',
    async (line) => {
      const error = await rejectionOf(dry(line));

      expect(error).toBeInstanceOf(line.startsWith('confirm') ? RefusedError : JournalError);
      expect(await rejectionOf(typedOn(simulatedBofh({ host }), line))).toMatchObject({
        message: (error as Error).message,
      });
    },
  );

  it('journal resolve is refused while the sequence runs', async () => {
    const nothing = () => undefined;
    await withBofh(simulatedBofh({ host }), () =>
      atomic('running', async (tx) => {
        await tx.effect('call the API', nothing, nothing);
        const { data } = await jsonOn(simulatedBofh({ host }), 'journal list');
        const id = journalList.parse(data).find(({ name }) => name === 'running')?.id ?? '';

        expect(await rejectionOf(dry(`journal resolve ${id} 1 --keep`))).toMatchObject({
          message: `journal ${id} is in use`,
          remedy: `see how far it is: bofh journal show ${id}`,
        });
      }),
    );
  });

  it('confirm --extend 0 is refused: it would roll back at once', async () => {
    const extend = typedOn(simulatedBofh({ host }), 'confirm --extend 0');
    await expect(extend).rejects.toThrow('--extend 0: must be more than 0');
  });

  it('recover ID --unconfirmed has none: it would wait, and roll back', async () => {
    expect(await rejectionOf(dry('recover aa11 --unconfirmed'))).toBeInstanceOf(UsageError);
    expect(host.snapshot()).toBe(stateDir);
  });
});

it('an error of the operating system has a command that shows its cause', async () => {
  const broken = (): never => {
    throw Object.assign(new Error('EIO: i/o error, scandir'), { code: 'EIO' });
  };
  const { engine } = simulatedBofh({ host });
  const reading = Promise.resolve().then(() => accessing(engine, broken));

  expect(await rejectionOf(reading)).toMatchObject({
    remedy: expect.stringMatching(/^see why: ls -ld (\S+); findmnt --target \1$/) as string,
  });
});

it('confirm without an ID does not take an unreadable journal for none', async () => {
  host = simulatedHost();
  lay('cc33', Buffer.from('damaged\n'));

  expect(await rejectionOf(typedOn(simulatedBofh({ host }), 'confirm'))).toBeInstanceOf(JournalError);
});

describe('bofh journal list', () => {
  it('shows a sequence that ends while it reads the directories', async () => {
    const bofh = simulatedBofh({ host });
    const { store } = bofh.engine;
    const lines = [
      begin('cc33', 'quick'),
      { t: 'committed' },
      { t: 'closed', outcome: 'committed' },
    ] as const;
    lay('cc33', appendedApart(lines));
    let reads = 0;
    const names: typeof store.names = (folder) => {
      const found = store.names(folder);
      reads += 1;
      if (reads === 1) store.rename('cc33.journal', 'history/cc33.journal');
      return found;
    };
    const engine = { ...bofh.engine, store: { ...store, names } };

    const { data } = await jsonOn({ ...bofh, engine }, 'journal list');

    expect(journalList.parse(data).filter(({ id }) => id === 'cc33')).toMatchObject([{ state: 'committed' }]);
  });
});
