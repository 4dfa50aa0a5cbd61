import { expect, test } from 'vitest';
import { noticing } from '../../../src/atomic/sequence/change-notice.ts';
import { askedOnce, type ChangeHost, type ReadHost } from '../../../src/command/index.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';

/** A host whose files contain how often they were read. Its changes end when `end` is called. */
function counting(): { readonly host: ChangeHost; readonly end: () => void } {
  let reads = 0;
  let end = (): void => undefined;
  const host = {
    name: '',
    readFile: async () => new TextEncoder().encode(String((reads += 1))),
    removeFile: () => new Promise<void>((done) => (end = done)),
  } as unknown as ChangeHost;
  return { host, end: () => end() };
}

const read = async (host: ReadHost): Promise<string> => new TextDecoder().decode(await host.readFile('/a'));

test('the look after a step uses the answers since its last change, and no earlier ones', async () => {
  const { host, end } = counting();
  const step = noticing(host);
  const look = (): ReadHost => askedOnce(host, step.answers());

  expect([await read(step.host), await read(step.host)]).toEqual(['1', '2']);
  expect([await read(look()), step.hasBegun()]).toEqual(['2', false]);

  const change = step.host.removeFile('/a');
  expect(await read(step.host)).toBe('3');
  end();
  await change;
  expect([await read(look()), step.hasBegun()]).toEqual(['4', true]);
  expect(await read(step.host)).toBe('5');
  expect(await read(look())).toBe('5');
});

test('an answer that arrives after a change, but was asked for before, is not used', async () => {
  const { host, end } = counting();
  let answer = (): void => undefined;
  const slow = {
    ...host,
    readFile: async (path: string) => {
      const content = await host.readFile(path);
      await new Promise<void>((done) => (answer = done));
      return content;
    },
  };
  const step = noticing(slow);
  const early = read(step.host);
  await Promise.resolve();
  const change = step.host.removeFile('/a');
  end();
  await change;
  answer();

  expect(await early).toBe('1');
  expect(await read(askedOnce(host, step.answers()))).toBe('2');
});

test('lvm.createLv asks LVM four times: without locks, with them, right before its change and after it', async () => {
  const host = simulatedHost();
  let reports = 0;
  const counted = <H extends ReadHost>(of: H): H => ({
    ...of,
    run: (command: Parameters<H['run']>[0]) => {
      if (command.argv[0] === 'fullreport') reports += 1;
      return of.run(command);
    },
  });
  const during: typeof host.during = (step) => counted(host.during(step));
  const bofh = simulatedBofh({ host: { ...counted(host), during } });

  await withBofh(bofh, () => atomic('one', (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '64m' })));

  expect(reports).toBe(4);
});
