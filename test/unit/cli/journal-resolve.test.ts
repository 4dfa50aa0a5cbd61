import { beforeEach, expect, test } from 'vitest';
import { atomic } from '../../../src/api/atomic.ts';
import { withBofh } from '../../../src/bofh.ts';
import { type BofhError, UsageError } from '../../../src/core/errors.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { jsonOn, runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

let host: SimulatedHost;
let id: string;
let before: string;

/** A killed sequence: a file, an effect of its script, and another file. */
beforeEach(async () => {
  const own = simulatedHost();
  before = own.snapshot();
  await withBofh({ ...simulatedBofh({ host: own }), signals: {} }, () =>
    atomic('killed', async (tx) => {
      await tx.file.create({ path: '/root/a', content: 'a' });
      await tx.effect(
        'call the API',
        () => undefined,
        () => undefined,
      );
      await tx.file.create({ path: '/root/b', content: 'b' });
      own.kill();
    }),
  ).catch(() => undefined);
  host = own.restart();
  id = answers.journalList.parse((await typed('journal list')).data)[0]?.id ?? '';
});

const typed = (line: string, settings = {}) => jsonOn(simulatedBofh({ host }), line, settings);

const files = () => ['/root/a', '/root/b'].filter((path) => host.snapshot().includes(`"${path}"`));

test.each([
  ['--undone', undefined],
  ['--keep', expect.stringContaining('kept as it is')],
])('recovery goes on with the older steps after %s', async (how, note) => {
  // It undoes what is newer, and stops at what it cannot judge.
  expect((await typed('recover')).code).toBe(3);
  expect(files()).toEqual(['/root/a']);

  const { data } = await typed(`journal resolve ${id} 2 ${how}`);

  expect(data).toEqual({ id, step: 2, how: how === '--keep' ? 'kept' : 'undone' });
  expect((await typed('recover')).code).toBe(0);
  const { steps } = answers.journalShow.parse((await typed(`journal show ${id}`)).data);
  expect(steps.map(({ note }) => note)).toEqual([undefined, note, undefined]);
  expect(host.snapshot()).toBe(before);
});

test('shows the name of the effect everywhere', async () => {
  const [listed] = answers.journalList.parse((await typed('journal list')).data);
  expect(listed?.changes).toContain('call the API');
  const { steps } = answers.journalShow.parse((await typed(`journal show ${id}`)).data);
  expect(steps[1]?.kind).toBe('call the API');
  const found = answers.doctor.parse((await typed('doctor')).data);
  expect(JSON.stringify(found)).toContain('step 2 call the API of the sequence');
  const { runtime, stdout, stderr } = testRuntime(simulatedBofh({ host }), {});
  for (const line of ['journal list', `journal show ${id}`, 'doctor', 'recover'])
    await runVerb(runtime, line);
  expect(`${stdout()}${stderr()}`).not.toMatch(/\bbare\b/);
});

test('the journal says how to end it', async () => {
  await typed('recover').catch(() => undefined);
  const { runtime, stdout } = testRuntime(simulatedBofh({ host }), {});
  await runVerb(runtime, `journal show ${id}`);
  expect(stdout()).toContain(`bofh journal resolve ${id} 2 --undone`);
});

test.each([
  ['a step that bofh can undo', () => `journal resolve ${id} 1 --undone`, /bofh itself can undo step 1/],
  ['no such step', () => `journal resolve ${id} 9 --undone`, /has no step 9/],
  ['no decision', () => `journal resolve ${id} 2`, /one of --undone and --keep is needed/],
  ['no number', () => `journal resolve ${id} two --keep`, /"two" is not the number of a step/],
])('refuses, and changes nothing: %s', async (_, line, message) => {
  const journal = () => host.admin.readFile(`/var/lib/bofh/journal/${id}.journal`);
  const now = [host.snapshot(), journal()];
  const error = (await rejectionOf(typed(line()))) as BofhError;
  expect(error.message).toMatch(message);
  if (!(error instanceof UsageError)) expect(error.remedy).toMatch(/^bofh (?:recover|journal show) /);
  expect([host.snapshot(), journal()]).toEqual(now);
  // Only the decision is missing.
  await typed(`journal resolve ${id} 2 --undone`);
  await typed('recover');
  expect(host.snapshot()).toBe(before);
});

test('a dry run only shows the note', async () => {
  const { runtime, stdout, stderr } = testRuntime(simulatedBofh({ host }), { dryRun: true });
  await runVerb(runtime, `journal resolve ${id} 2 --keep`);
  expect(stdout() + stderr()).toContain(`step 2 of ${id} would be noted as kept`);
  expect((await typed('recover')).code).toBe(3);
});
