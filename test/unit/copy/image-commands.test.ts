import { describe, expect, it, test } from 'vitest';
import { imageCheck, imageCompare, imageConvert, imageInfo } from '../../../src/copy/image-commands.ts';
import { formatOf } from '../../../src/copy/image-source.ts';
import { recordingOf } from '../../support/record/recordings.ts';

const recorded = (name: string) => recordingOf(`qemu-img/${name}`, '7.2+dfsg');
const size = 32 * 1024 ** 2;

describe('qemu-img', () => {
  it.each([
    ['info-raw', 'raw', { bytes: size, others: [], encrypted: false }],
    ['info-qcow2', 'qcow2', { bytes: size, others: [], encrypted: false }],
    ['info-backing', 'qcow2', { bytes: size, others: ['web.qcow2'], encrypted: false }],
    ['info-data-file', 'qcow2', { bytes: size, others: ['outside.raw'], encrypted: false }],
    ['info-encrypted', 'qcow2', { bytes: size, others: [], encrypted: true }],
  ] as const)('%s describes an image', (name, format, wanted) => {
    expect(imageInfo('/a', format).parse(recorded(name))).toEqual(wanted);
  });

  it('checks whether an image is complete', () => {
    expect(imageCheck('/a').parse(recorded('check-whole'))).toBe('whole');
    expect(imageCheck('/a').parse(recorded('check-truncated'))).toBe('damaged');
  });

  it('names the first byte that differs', () => {
    const { parse } = imageCompare({ source: '/a', format: 'qcow2', device: '/dev/b' });
    expect(parse(recorded('compare-differs'))).toBe(4_999_680);
    expect(parse(recorded('compare-same'))).toBeUndefined();
    expect(parse(recorded('compare-shorter'))).toBeUndefined();
  });

  it('copies in order, past the page cache, and shows its progress', () => {
    const command = imageConvert({ source: '/a', format: 'raw', from: 'device', device: '/dev/b' });
    expect(command.argv.join(' ')).toBe('convert -p -n -f raw -O raw -t none -T none /a /dev/b');
    expect(command.progress?.('    (0.00/100%)\r    (42.50/100%)\r')).toBe(0.425);
    expect(command.progress?.('')).toBeUndefined();
  });

  test.each(['info-raw', 'check-whole', 'compare-differs', 'compare-same'])(
    'is an error if a part of %s is missing',
    (name) => {
      const commands = {
        'info-raw': imageInfo('/a', 'raw'),
        'check-whole': imageCheck('/a'),
        'compare-differs': imageCompare({ source: '/a', format: 'raw', device: '/b' }),
        'compare-same': imageCompare({ source: '/a', format: 'raw', device: '/b' }),
      } as const;
      const answer = recorded(name);
      const command = commands[name as keyof typeof commands];
      expect(() => command.parse({ ...answer, stdout: answer.stdout.slice(0, -5) })).toThrow();
      if (name !== 'info-raw') expect(() => command.parse({ ...answer, exitCode: 2 })).toThrow();
    },
  );

  it('is an error if it sees another format than asked for', () => {
    expect(() => imageInfo('/a', 'raw').parse(recorded('info-qcow2'))).toThrow(/qcow2, not raw/);
  });
});

test('the format of an image is known by its name alone', () => {
  expect(['/a.raw', '/a.img', '/a.QCOW2'].map(formatOf)).toEqual(['raw', 'raw', 'qcow2']);
  expect(() => formatOf('/a.vmdk')).toThrow(/the format of \/a.vmdk is unknown/);
});
