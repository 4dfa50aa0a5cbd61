import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError, RolledBackError, UsageError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, ranOf } from '../simulator/support.ts';
import { optionWords, runVerb } from '../cli/support/run-verb.ts';
import { failNow } from '../../support/rejection.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 8, tags: ['one', 'two'] });
});

type Asked = Omit<Parameters<Tx['lvm']['tagLv']>[0], 'vg' | 'name'>;
const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('tags', body));
const change = (tx: Tx, asked: Asked) => tx.lvm.tagLv({ vg: 'vg0', name: 'a', ...asked });
const volume = () => {
  const lv = host.world.lvm[0]?.lvs[0];
  if (lv === undefined) throw new Error('no volume');
  return lv;
};
const ran = (): readonly string[] => ranOf(host, 'lvchange');

describe('tagLv', () => {
  test('changes all tags at once, and only those that differ', async () => {
    await does((tx) => change(tx, { add: ['one', 'new'], remove: ['two', 'never'] }));

    expect(volume().tags).toEqual(['one', 'new']);
    expect(ran()).toEqual([`--addtag new --deltag two --select lv_uuid=${volume().uuid} vg0/a`]);
  });

  test.each([
    ['some', { add: ['new', 'one'], remove: ['two'] }],
    ['what it has', { add: ['one'] }],
    ['what it has not', { remove: ['new'] }],
  ])('of %s is undone with the sequence', async (_, asked) => {
    const before = [...volume().tags].sort();
    const error = await failureOf(does(async (tx) => [await change(tx, asked), await failNow()]));
    expect(error).toBeInstanceOf(RolledBackError);
    expect([...volume().tags].sort()).toEqual(before);
  });

  test('leaves tags of others alone, and reports a mixture', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await change(tx, { add: ['new'] });
        volume().tags = [...volume().tags, 'theirs'];
        await change(tx, { add: ['three', 'four'] });
        volume().tags = volume().tags.filter((each) => each !== 'four');
        await failNow();
      }),
    );
    expect(volume().tags).toEqual(['one', 'two', 'theirs', 'three']);
    expect(String((error as RolledBackError).leftUntouched)).toContain('has the tags');
  });

  test.each([
    ['a mark', { remove: ['bofh.0a.1'] }, /tags of bofh/],
    ['what is no tag', { add: ['a b'] }, /cannot be a tag/],
    ['a tag on and off at once', { add: ['x'], remove: ['x'] }, /is in both lists/],
    ['no tag', {}, /name the tags/],
  ])('refuses %s', async (_, asked, message) => {
    const error = await failureOf(does((tx) => change(tx, asked)));
    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toMatch(message);
    expect(ran()).toEqual([]);
  });

  test('refuses another volume than expected', async () => {
    const uuid = '000000-aaaa-bbbb-cccc-dddd-eeee-ffffff';
    expect(await failureOf(does((tx) => change(tx, { add: ['x'], uuid })))).toBeInstanceOf(RefusedError);
  });

  test('notices a program that exits 0 and does nothing', async () => {
    host.fault({ tool: 'lvchange', mode: 'no effect, exit 0' });
    const error = await failureOf(does((tx) => change(tx, { add: ['new'] })));
    expect(String(error)).toMatch(/its effect cannot be found/);
    expect(volume().tags).toEqual(['one', 'two']);
  });
});

describe('bofh lvm tag', () => {
  test.each([
    ['changes', { add: 'new,one', remove: 'two' }, ['one', 'new'], 1],
    ['has nothing to do', { add: 'one' }, ['one', 'two'], 0],
  ])('%s, and prints the tags afterwards', async (_, options, tags, commands) => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { json: true });

    expect(await runVerb(runtime, ['lvm', 'tag', 'vg0/a', ...optionWords(options)])).toBe(0);

    expect(answers.lvmTag.parse(JSON.parse(stdout()))).toEqual({
      volume: 'vg0/a',
      uuid: volume().uuid,
      tags,
    });
    expect(ran()).toHaveLength(commands);
  });

  test('an option that is typed again adds to the first one', async () => {
    const { runtime } = testRuntime(simulatedBofh({ host }));

    await runVerb(runtime, 'lvm tag vg0/a --add x --add y --remove one --remove two');
    await runVerb(runtime, 'lvm create vg0/b --size 8m --tag x --tag y');

    expect(host.world.lvm.flatMap(({ lvs }) => lvs.map(({ tags }) => tags.slice(-2)))).toEqual([
      ['x', 'y'],
      ['x', 'y'],
    ]);
  });
});
