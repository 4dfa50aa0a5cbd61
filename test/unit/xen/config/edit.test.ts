import { describe, expect, test } from 'vitest';
import { withItem, withItems, withoutItem, withSettings } from '../../../../src/xen/config/edit.ts';
import { parseConfig } from '../../../../src/xen/config/parse.ts';

const file = '/etc/xen/web1.cfg';
const text = `# web1: 512 MiB were enough in 2019
name    = 'web1' # memory = 1
memory=512	# MiB
vcpus = "2"; maxvcpus = 4
disk = [
  'phy:/dev/vg0/web1-root,xvda,w', # web1-root
  "phy:/dev/vg0/web1-data,xvdb,w",
]
`;
const edited = (source: string | Uint8Array, to: Parameters<typeof withSettings>[1]) =>
  Buffer.from(withSettings({ text: Buffer.from(source), file }, to)).toString('latin1');

describe('changed settings', () => {
  test('keep their place, their quotes, the comments and every other byte', () => {
    expect(edited(text, { memory: 1024, vcpus: 3, name: 'web2' })).toBe(
      text.replace("'web1' #", "'web2' #").replace('memory=512\t', 'memory=1024\t').replace('"2";', '"3";'),
    );
  });

  test('that are new are added at the end, also after a last line without a newline', () => {
    expect(edited("name = 'web1'", { cpus: '2-3', cpu_weight: 512 })).toBe(
      'name = \'web1\'\ncpus = "2-3"\ncpu_weight = 512\n',
    );
  });

  test('replace the last setting of their key, which is the one that xl reads', () => {
    expect(edited('memory = 1\nmemory = 2\n', { memory: 3 })).toBe('memory = 1\nmemory = 3\n');
  });

  test('keep a comment in an old encoding', () => {
    const latin1 = Buffer.from('# gro\xdf\nmemory = 1\n', 'latin1');
    expect(edited(latin1, { memory: 3 })).toBe('# gro\xdf\nmemory = 3\n');
  });

  test.each(["'", '"'])('may contain the quotes %s', (mark) => {
    const made = edited(text, { name: `a${mark}b` });
    expect(parseConfig({ text: made, file }).settings.get('name')).toMatchObject({ text: `a${mark}b` });
  });

  test('that are lists or sums are refused with their line', () => {
    expect(() => edited(text, { disk: 'x' })).toThrow(`${file}:5: expected one value for disk`);
    expect(() => edited("cpus = '1'\ncpus += ',2'\n", { cpus: '3' })).toThrow(`${file}:2:`);
  });
});

describe('changed items of a list', () => {
  const items = (source: string) =>
    Buffer.from(
      withItems({ text: Buffer.from(source), file }, 'disk', (item) =>
        item.includes('web1-root') ? { from: '/dev/vg0/web1-root', to: '/dev/vg0/web2-root' } : undefined,
      ),
    ).toString();

  test('leave every other byte, also in lists that are added', () => {
    expect(items(text)).toBe(text.replace('/dev/vg0/web1-root', '/dev/vg0/web2-root'));
    const added =
      "disk = []\ndisk += ['phy:/dev/vg0/web1-root,xvda,w']\nvif = ['script=/dev/vg0/web1-root']\n";
    expect(items(added)).toBe(added.replace('web1-root', 'web2-root'));
  });

  test('that are written with escapes are refused with their line', () => {
    expect(() =>
      withItems({ text: Buffer.from("disk = ['a\\\\b']\n"), file }, 'disk', (from) => ({ from, to: 'c' })),
    ).toThrow(`${file}:1:`);
  });
});

describe('adding or removing one string of a list', () => {
  test.each([
    ['in one line', "disk = ['a', 'b']\n", `disk = ['a', 'b', "c"]\n`],
    ['in one line, with a comma at the end', "disk = ['a', 'b', ]\n", `disk = ['a', 'b', "c", ]\n`],
    ['with a line for each', "disk = [\n\t'a',\n\t'b',\n]\n", `disk = [\n\t'a',\n\t'b',\n\t"c",\n]\n`],
    ['without a comma in the last line', "disk = [\n 'a',\n 'b'\n]\n", `disk = [\n 'a',\n 'b',\n "c"\n]\n`],
    [
      'with comments',
      "disk = [ # x\n 'a', # y\n 'b', # z\n]\n",
      `disk = [ # x\n 'a', # y\n 'b', # z\n "c",\n]\n`,
    ],
    ['in two parts', "disk = ['a']\ndisk += ['b']\n", `disk = ['a']\ndisk += ['b', "c"]\n`],
  ])('%s', (_, before, after) => {
    const changed = withItem({ text: Buffer.from(before), file }, 'disk', 'c');

    expect(changed.toString()).toBe(after);
    expect(withoutItem({ text: changed, file }, 'disk', 2).toString()).toBe(before);
  });

  test.each([
    ['no such list', 'name = "x"', 'name = "x"\ndisk = ["c"]\n'],
    ['an empty list', 'disk = [ ]\n', 'disk = ["c"]\n'],
    ['an empty list with a comment', `disk = [ # x\n # 'a',\n]\n`, `disk = [ # x\n # 'a',\n"c"]\n`],
  ])('%s', (_, before, after) => {
    expect(withItem({ text: Buffer.from(before), file }, 'disk', 'c').toString()).toBe(after);
  });

  test.each([
    [0, "disk = ['b', 'c']\n"],
    [1, "disk = ['a', 'c']\n"],
    [2, "disk = ['a', 'b']\n"],
  ])('without number %i', (at, after) => {
    expect(withoutItem({ text: Buffer.from("disk = ['a', 'b', 'c']\n"), file }, 'disk', at).toString()).toBe(
      after,
    );
  });

  test.each<readonly [string, (before: Buffer) => Buffer, string]>([
    [
      'with another',
      (text) => withItem({ text, file }, 'disk', 'd'),
      "disk = ['a']\ndisk = ['b']\ndisk += ['c', \"d\"]\n",
    ],
    [
      'without the first',
      (text) => withoutItem({ text, file }, 'disk', 0),
      "disk = ['a']\ndisk = []\ndisk += ['c']\n",
    ],
  ])('of a list that is set twice, xl reads the last one: %s', (_, edit, after) => {
    expect(edit(Buffer.from("disk = ['a']\ndisk = ['b']\ndisk += ['c']\n")).toString()).toBe(after);
  });

  test('is refused for a value that is not a list', () => {
    expect(() => withItem({ text: Buffer.from('disk = 5\n'), file }, 'disk', 'c')).toThrow(
      /web1.cfg:1: expected a list/,
    );
  });
});
