import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseReserved, reservedIn } from '../../../src/atomic/locks/reservations.ts';
import { JournalError } from '../../../src/core/errors.ts';
import { localHost } from '../../../src/host/local.ts';

let work = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-reserved-'));
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

const text = (id: string): string =>
  `bofh reservation 1\ncoordinator web1\nsequence ${id} "a volume"\nowner t1\nx "lv:vg0/x"\ns "vg:vg0"\n`;
const at = (...names: readonly string[]): string => join(work, ...names);
const { flock } = localHost();
const here = () => reservedIn(at('state'), at('run'), { flock });

function lay(id: string, content = text(id)): void {
  mkdirSync(at('state', 'reservations'), { recursive: true });
  writeFileSync(at('state', 'reservations', id), content);
}

/** A program of it holds a share of its lock. */
async function during<T>(path: string, body: () => Promise<T>): Promise<T> {
  mkdirSync(join(path, '..'), { recursive: true });
  const fd = openSync(path, 'a');
  try {
    expect(await flock([{ fd, mode: 'shared' }])).toBeUndefined();
    return await body();
  } finally {
    closeSync(fd);
  }
}

describe('what other hosts have reserved', () => {
  test('is empty where no host reserved anything', () => {
    expect(here().list()).toEqual([]);
    expect(here().seen()).toEqual([]);
    expect(here().programsAt('aa11')).toBeUndefined();
  });

  test('is read whole', () => {
    lay('aa11');

    expect(here().list()).toEqual([
      { id: 'aa11', name: 'a volume', coordinator: 'web1', exclusive: ['lv:vg0/x'], shared: ['vg:vg0'] },
    ]);
    expect(here().seen()).toMatchObject([{ id: 'aa11', found: { coordinator: 'web1' } }]);
  });

  test('that cannot be read blocks everything, and the readable ones are still shown', () => {
    lay('aa11', 'bofh reservation 1\ncoord');
    lay('bb22');

    expect(() => here().list()).toThrow(JournalError);
    const [damaged, sound] = here().seen();
    expect(damaged).toMatchObject({ id: 'aa11', found: { name: 'JournalError' } });
    expect(sound).toMatchObject({ id: 'bb22', found: { name: 'a volume' } });
  });

  test.each([
    ['another id', text('bb22')],
    ['a line that is torn', text('aa11').slice(0, -3)],
    ['a key that is no string', `${text('aa11')}x "\n`],
    ['a line of another sort', `${text('aa11')}y "a"\n`],
  ])('is refused with %s', (_what, content) => {
    expect(() => parseReserved(content, 'aa11')).toThrow('cannot be read');
  });
});

describe('a reservation that is abandoned', () => {
  test('is removed, and stored with the reason', async () => {
    lay('aa11');

    await here().abandon('aa11', 'it burned\ndown');

    expect(here().list()).toEqual([]);
    expect(readFileSync(at('state', 'reservations', 'history', 'aa11'), 'utf8')).toBe(
      `${text('aa11')}abandoned "it burned\\ndown"\n`,
    );
    expect(existsSync(at('run', 'away', 'aa11'))).toBe(false);
  });

  test('and had ended meanwhile, is not made again', async () => {
    lay('aa11');
    rmSync(at('state', 'reservations', 'aa11'));

    await expect(here().abandon('aa11', 'why')).rejects.toThrow('has ended meanwhile');

    expect(here().list()).toEqual([]);
  });

  test.each([
    ['while a program of it runs', 'away/aa11/lock', 'a program of sequence aa11 still runs on this host'],
    ['while another bofh reserves', 'reservations.lock', 'is reserving objects on this one at this moment'],
  ])('is refused %s, and nothing has changed', async (_when, lock, says) => {
    lay('aa11');

    await during(at('run', lock), async () => {
      await expect(here().abandon('aa11', 'why')).rejects.toThrow(says);
    });

    expect(readdirSync(at('state', 'reservations'))).toEqual(['aa11']);
    expect(readFileSync(at('state', 'reservations', 'aa11'), 'utf8')).toBe(text('aa11'));
    await here().abandon('aa11', 'now');
    expect(here().list()).toEqual([]);
  });
});
