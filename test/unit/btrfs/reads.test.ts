import { describe, expect, test } from 'vitest';
import { subvolumes } from '../../../src/btrfs/reads.ts';
import type { Answer, ReadCommand, ReadHost } from '../../../src/command/index.ts';
import { ParseError } from '../../../src/core/errors.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';
import { recorded } from '../blockdevice/fixtures.ts';

type Says = (form: 'plain' | 'with cgen') => Answer;

/** A host whose btrfs gives these lists, and whose kernel says that the path is in this subvolume. */
function hostThat(says: Says, own = 5): ReadHost {
  const run = async <T>({ argv, parse }: ReadCommand<T>): Promise<T> => {
    if (argv.includes('rootid')) return parse({ exitCode: 0, stdout: `${own}\n`, stderr: '' });
    return parse(says(argv.includes('-c') ? 'with cgen' : 'plain'));
  };
  return { ...simulatedHost(), run };
}

const at = (form: 'plain' | 'with cgen', version: string): Answer =>
  recorded(`btrfs/subvolume-list${form === 'plain' ? '' : '-cgen'}@${version}`);

const mimic =
  'odd\nID 999 gen 7 cgen 7 parent 5 top level 5 parent_uuid -                                    received_uuid -                                    uuid e1d86a4b-ce1a-8141-8f79-77fb9994a7bb path x';

describe.each(['6.2', '6.14'])('the subvolumes that btrfs-progs %s lists', (version) => {
  test('are the existing ones, with full paths, whatever their names', async () => {
    const rows = await subvolumes(
      hostThat((form) => at(form, version)),
      '/mnt',
    );

    expect(rows.map(({ path }) => path)).toEqual([
      ...['a b', 'new\nline', 'ünï', undefined, 'dir/in', 'snap', 'snap2', 'a b/nest', '<FS_TREE>'],
      ...[mimic, 'forsend', 'recv/forsend'],
    ]);
    expect(rows[3]?.shown).toBe('bad\ufffd');
    expect(rows.find(({ path }) => path === 'a b/nest')).toMatchObject({ parentId: 256 });
    expect(rows.at(-1)?.receivedUuid).toBe(rows.at(-2)?.uuid);
  });

  test('are the same by a path in one of them', async () => {
    const below = recorded(`btrfs/subvolume-list-below@${version}`);
    const plain = {
      ...below,
      stdout: below.stdout.replaceAll(/^(ID \d+ gen \d+) cgen \d+ (?=.* path (?!x$))/gm, '$1 '),
    };
    const rows = await subvolumes(
      hostThat((form) => (form === 'plain' ? plain : below), 256),
      '/mnt/a b',
    );

    expect(rows.map(({ path }) => path)).toContain('a b/nest');
    expect(rows.map(({ path }) => path)).toContain('<FS_TREE>');
    expect(rows.map(({ path }) => path)).toContain('snap');
  });

  test('are listed again when one was created meanwhile', async () => {
    let asked = 0;
    const rows = await subvolumes(
      hostThat((form) => {
        asked += 1;
        const said = at(form, version);
        return asked === 1 ? { ...said, stdout: said.stdout.replace(/^ID 267 .*\n/m, '') } : said;
      }),
      '/mnt',
    );
    expect(asked).toBe(4);
    expect(rows.map(({ id }) => id)).toContain(267);
  });

  test.each<readonly [string, (text: string) => string]>([
    ['lack one in one form', (text) => text.replace(/^ID 260 .*\n/m, '')],
    ['name one twice', (text) => text.replace(/^ID 261 /m, 'ID 260 ')],
    ['tell another path', (text) => text.replace(/path dir\/in$/m, 'path dir/out')],
  ])('are an error when two lists %s, every time', async (_what, spoil) => {
    const host = hostThat((form) => {
      const said = at(form, version);
      return form === 'plain' ? said : { ...said, stdout: spoil(said.stdout) };
    });
    await expect(subvolumes(host, '/mnt')).rejects.toThrow(ParseError);
  });
});
