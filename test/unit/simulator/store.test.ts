import { describe, expect, test } from 'vitest';
import { fork } from '../../../src/simulator/fork.ts';
import { memoryLocks, memoryStore, simulatedHost } from '../../../src/simulator/index.ts';

describe('the journal in memory', () => {
  test('is a folder of files, as on a disk', () => {
    const store = memoryStore();
    const file = store.create('a.new');
    expect(file.write(Buffer.from('hello world'), 0)).toBe(11);
    file.write(Buffer.from('there'), 6);
    store.rename('a.new', 'a.journal');

    expect(store.names('.')).toEqual(['a.journal']);
    expect(store.names('history')).toEqual([]);
    expect(store.inode('a.journal')).toBe(file.inode);
    expect(store.inode('a.new')).toBeUndefined();
    expect(() => store.create('a.journal')).toThrow(/EEXIST/);
    file.truncate(8);
    expect(store.open('a.journal')?.read().toString()).toBe('hello th');
    store.remove('a.journal');
    store.remove('a.journal');
    expect(store.open('a.journal')).toBeUndefined();
  });

  test('loses unsynced bytes and names in a power cut', () => {
    const host = simulatedHost();
    const store = memoryStore({ host });
    const [kept, lost] = [store.create('kept'), store.create('lost')];
    kept.write(Buffer.from('one'), 0);
    kept.datasync();
    store.syncDir('.');
    kept.write(Buffer.from('two'), 3);
    lost.write(Buffer.from('x'), 0);
    store.create('unnamed').datasync();

    const after = memoryStore({ host: host.powerCut({ keep: 'none' }) });

    expect(after.names('.')).toEqual(['kept', 'lost']);
    expect(after.open('kept')?.read().toString()).toBe('one');
    expect(after.open('lost')?.read().toString()).toBe('');
  });

  test('keeps everything in a power cut that came late enough', () => {
    const host = simulatedHost();
    memoryStore({ host }).create('name').write(Buffer.from('x'), 0);

    const after = memoryStore({ host: host.powerCut({ keep: 'all' }) });

    expect(after.open('name')?.read().toString()).toBe('x');
  });

  test('keeps any part in a power cut of a seed: names, sectors, the length without the bytes; the same each time', () => {
    const host = simulatedHost();
    const store = memoryStore({ host });
    const log = store.create('log');
    log.write(Buffer.alloc(600, 'a'), 0);
    log.datasync();
    store.syncDir('.');
    log.write(Buffer.alloc(1000, 'b'), 600);
    const other = store.create('new');
    for (const file of [log, other]) file.close();
    const cut = (seed: number): string => {
      const after = memoryStore({ host: fork(host).powerCut({ keep: { seed } }) });
      // Which letter each sector has: what of `b` is not there is zeros.
      const bytes = after.open('log')?.read() ?? Buffer.alloc(0);
      const sectors = [600, 1024, 1536].map((at) => bytes.subarray(at, at + 1).toString('latin1'));
      return `${bytes.subarray(0, 600).toString()} ${sectors.join(',')} ${after.names('.').join()}`;
    };
    const all = new Set(Array.from({ length: 200 }, (_, seed) => cut(seed)));
    const whole = 'a'.repeat(600);

    expect([...all].every((each) => each.startsWith(whole))).toBe(true);
    expect(all).toContain(`${whole} b,b,b log,new`);
    expect(all).toContain(`${whole} ,, log`);
    expect(all).toContain(`${whole} \0,b,\0 log`);
    expect(all).toContain(`${whole} \0,\0,b log,new`);
    expect(cut(7)).toBe(cut(7));
  });

  test('can be locked by its descriptors, until they are closed or their process is killed', async () => {
    const host = simulatedHost();
    const other = host.restart();
    const mine = memoryStore({ host }).create('a');
    const theirs = memoryStore({ host: other }).open('a');
    const take = (fd: number | undefined) => other.flock([{ fd: fd ?? -1, mode: 'exclusive' }]);

    expect(await host.flock([{ fd: mine.fd, mode: 'shared' }])).toBeUndefined();
    expect(await take(theirs?.fd)).toBe(0);
    expect(await other.flock([{ fd: theirs?.fd ?? -1, mode: 'shared' }])).toBeUndefined();
    mine.close();
    expect(await take(theirs?.fd)).toBeUndefined();
    other.kill();
    const third = host.restart();
    const again = memoryStore({ host: third }).open('a');
    expect(await third.flock([{ fd: again?.fd ?? -1, mode: 'exclusive' }])).toBeUndefined();
  });
});

describe('object locks in memory', () => {
  test('are all taken or none, shared with shared ones, and free when their process is killed', async () => {
    const host = simulatedHost();
    const other = host.restart();
    const [mine, theirs] = [memoryLocks(host).open(), memoryLocks(other).open()];

    expect(await mine.take({ makes: ['lv:vg0/a'], needs: ['vg:vg0'] })).toBeUndefined();
    expect(await theirs.take({ makes: ['lv:vg0/b'], needs: ['vg:vg0', 'lv:vg0/a'] })).toBe('lv:vg0/a');
    expect(await mine.take({ makes: ['lv:vg0/b'] })).toBeUndefined();
    expect(await theirs.take({ needs: ['vg:vg0'] })).toBeUndefined();
    expect(await mine.take({ changes: ['vg:vg0'] })).toBe('vg:vg0');
    host.kill();
    expect(await theirs.take({ changes: ['vg:vg0', 'lv:vg0/a', 'lv:vg0/b'] })).toBeUndefined();
    theirs.release();
  });
});
