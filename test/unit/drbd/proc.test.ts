import { describe, expect, it } from 'vitest';
import { ParseError } from '../../../src/core/errors.ts';
import { parseProc } from '../../../src/drbd/proc.ts';
import { recorded } from '../blockdevice/fixtures.ts';

const proc = (name: string) => recorded(`proc/drbd-${name}@9.22.0-module-8.4.11`).stdout;

describe('/proc/drbd', () => {
  it('shows the version, and each device with its states and counters in bytes', () => {
    expect(parseProc(proc('inconsistent'))).toEqual({
      version: '8.4.11',
      devices: [
        {
          ...{ minor: 0, state: 'WFConnection', role: 'Secondary', peerRole: 'Unknown', protocol: 'C' },
          ...{ disk: 'Inconsistent', peerDisk: 'DUnknown', sent: 0, received: 0, written: 0, read: 0 },
          ...{ logWrites: 8, bitmapWrites: 0, localCount: 0, pending: 0, unacknowledged: 0 },
          ...{ applicationPending: 0, epochs: 1, outOfSync: 209_670_144 },
        },
      ],
    });
  });

  it('shows no protocol without a network', () => {
    const [device] = parseProc(proc('standalone')).devices;

    expect(device).toMatchObject({ state: 'StandAlone', role: 'Primary', written: 212_863 * 1024 });
    expect(device).not.toHaveProperty('protocol');
  });

  it('shows the progress of a resync', () => {
    const done = (name: string) =>
      parseProc(proc(name)).devices.map((each) => [each.state, 'done' in each ? each.done : undefined]);

    expect(done('pair-syncing')).toEqual([
      ['SyncSource', 6.3],
      ['SyncTarget', 6.3],
    ]);
    expect(done('pair-paused')).toEqual([
      ['PausedSyncS', undefined],
      ['PausedSyncT', undefined],
    ]);
  });

  it('of module 9 has only the version', () => {
    const text =
      'version: 9.1.13 (api:2/proto:110-121)\nGIT-hash: 3aad9b42 build by @buildsystem\nTransports (api:19): tcp (9.1.13)\n';

    expect(parseProc(text)).toEqual({ version: '9.1.13', devices: [] });
  });

  it('skips missing minors, and reads one without a resource', () => {
    const [head = '', ...lines] = proc('standalone').split(/(?<=\n)/);
    const text = [head, ' 0: cs:Unconfigured\n', '\n', lines.slice(1).join('').replace(' 0:', '11:')].join(
      '',
    );

    expect(parseProc(text).devices.map(({ minor, state }) => [minor, state])).toEqual([
      [0, 'Unconfigured'],
      [11, 'StandAlone'],
    ]);
  });

  it.each(['inconsistent', 'standalone', 'diskless', 'pair-connected', 'pair-split-brain'])(
    '%s: with a missing line or a damaged word it is an error',
    (name) => {
      const text = proc(name);
      const lines = text.split(/(?<=\n)/);
      for (const [at, line] of lines.entries()) {
        if (!line.startsWith('srcversion') && line !== '\n')
          expect(() => parseProc(lines.toSpliced(at, 1).join('')), line).toThrow();
        expect(() => parseProc(lines.with(at, `?${line}`).join('')), line).toThrow();
      }
      expect(() => parseProc(text.slice(0, -1))).toThrow();
      expect(() => parseProc(text.replace('Secondary', 'Tertiary').replace('Primary', 'Tertiary'))).toThrow();
      const odd = text.replace(/ro:\w+/, 'ro:Tertiary');
      expect(() => parseProc(odd)).toThrow(ParseError);
      expect(() => parseProc(odd)).toThrow(/the role of device \d is "Tertiary", which bofh does not know/);
      expect(() => parseProc('')).toThrow();
    },
  );
});
